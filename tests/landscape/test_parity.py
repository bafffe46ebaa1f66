"""The whole question on models trained here: barriers, basins, behaviour foretold, and nothing where nothing is.

Training is sensitive to rounding, so another BLAS gives other runs of the same recipe. The recipe was chosen on
data seed 0 and confirmed on others; see data/parity_landscape/README.md.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from scalefit import landscape

pytest.importorskip("sklearn")
FOLDER = Path(__file__).resolve().parents[2] / "data" / "parity_landscape"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parity():
    sys.path.insert(0, str(FOLDER))
    import parity

    yield parity
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def runs(parity):
    return parity.experiment(parity.Recipe(runs=16))


@pytest.fixture(scope="module")
def found(runs):
    return landscape.distances(runs.weights, runs.loss(), groups=runs.groups, progress=False)


@pytest.fixture(scope="module")
def result(runs, found):
    return landscape.predict(found, runs.out_of_domain, in_domain=runs.in_domain)


def by_group(runs, values):
    return [values[np.equal(runs.groups, group)] for group in sorted(set(runs.groups))]


def test_in_domain_all_runs_are_alike(runs):
    assert runs.in_domain.min() > 0.99


def test_out_of_domain_they_fall_into_modes(runs):
    assert np.mean([scores.std() for scores in by_group(runs, runs.out_of_domain)]) > 0.3
    extreme = (runs.out_of_domain < 0.1) | (runs.out_of_domain > 0.9)
    assert extreme.mean() > 0.5


def test_there_are_barriers_between_finetuning_seeds(found):
    heights = found.values("barrier")
    assert np.median(heights) > 0.1
    assert np.quantile(heights, 0.05) < np.median(heights) / 2


def test_barriers_between_pretraining_seeds_are_higher(runs, found):
    first = [f"p{seed}-f0" for seed in sorted(set(runs.groups))]
    between = landscape.distances({n: runs.weights[n] for n in first}, runs.loss(), progress=False)
    assert np.median(between.values()) > np.median(found.values())


def test_basins_explain_behaviour(result):
    assert result.eta_squared.value > 0.2
    assert result.eta_squared.p <= 0.01


def test_behaviour_is_foretold_better_than_by_every_baseline(result):
    assert result.r > 0.5
    assert result.p == pytest.approx(0.001)
    for baseline in result.baselines:
        assert result.r > baseline.r, baseline.name
        assert result.main.skill > baseline.skill, baseline.name
    assert all(b.p_beaten < 0.01 for b in result.baselines if b.name.startswith("in-domain"))
    assert result.verdict.startswith("the landscape foretells these scores")


def test_shuffled_scores_are_foretold_at_the_nominal_rate(runs, found):
    rng = np.random.default_rng(5)
    shuffled = (rng.permutation(runs.out_of_domain) for _ in range(20))
    hits = [landscape.predict(found, s, permutations=99).p <= 0.05 for s in shuffled]
    assert sum(hits) <= 4


@pytest.fixture(scope="module")
def alone(parity):
    return parity.experiment(parity.Recipe(pretrain_seeds=1), parity.unrelated)


@pytest.fixture(scope="module")
def apart(alone):
    return landscape.distances(alone.weights, alone.loss(), progress=False)


def test_unrelated_models_have_no_basins_and_say_little(alone, apart, result):
    assert landscape.clusters(apart).number == 1
    assert landscape.predict(apart, alone.out_of_domain).main.skill < result.main.skill / 2


def test_what_unrelated_models_do_say_is_on_which_inputs_they_look(parity, alone):
    """Hidden units differ from run to run, inputs do not: the weights on the cues' inputs give a model away."""
    lead = parity.cue_weights(alone)
    found = landscape.predict(np.abs(lead[:, None] - lead), alone.out_of_domain)
    assert found.r > 0.9


def test_unrelated_models_foretell_nothing_once_cues_have_no_fixed_place(parity, alone, apart):
    """A coin names the first cue of every model: the nominal rate of 20 tosses is one."""
    rng = np.random.default_rng(0)
    tossed = (parity.renamed(alone.out_of_domain, rng) for _ in range(20))
    hits = [landscape.predict(apart, s, permutations=99).p <= 0.05 for s in tossed]
    assert sum(hits) <= 4

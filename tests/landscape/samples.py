"""Models whose landscape is known, and files of weights written by hand."""

import json

import numpy as np

from scalefit.landscape import batched


@batched
def double_well(weights):
    """Two basins at first coordinate ±1; the other coordinates are a bowl."""
    w = weights["w"]
    return (w[:, 0] ** 2 - 1) ** 2 + 0.1 * (w[:, 1:] ** 2).sum(axis=1)


def wells(rng, count, size=6):
    """Draw models in both wells, and the well of each."""
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    points = 0.05 * rng.standard_normal((count, size))
    points[:, 0] += side
    return [{"w": point} for point in points], side


def apart(points):
    """Return Euclidean distances between points."""
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))


def write_safetensors(path, tensors, kinds=None):
    """Write the format by hand, as its specification says."""
    header, blobs, start = {"__metadata__": {"format": "pt"}}, [], 0
    names = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64"}
    for name, tensor in tensors.items():
        blob = tensor.tobytes()
        kind = (kinds or {}).get(name, names.get(str(tensor.dtype)))
        offsets = [start, start + len(blob)]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": offsets}
        blobs.append(blob)
        start += len(blob)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    return path

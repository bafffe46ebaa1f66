// The explorer: what Python worked out, read between its sizes on a log scale; no number here is of the page's own making.
const SVG = "http://www.w3.org/2000/svg", WIDTH = 760, HEIGHT = 340, LEFT = 52, BOTTOM = 40, TOP = 10, RIGHT = 14;
const count = (x) => {
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (x >= size) return `${Number((x / size).toPrecision(3))}${unit}`;
  }
  return String(Number(x.toPrecision(3)));
};
const short = (y) => String(Number(y.toPrecision(4)));
const chance = (p) => (p < 0.01 ? "below 1 %" : p > 0.99 ? "above 99 %" : `${Math.round(100 * p)} %`);
const between = (x, xs, ys) => {
  const i = Math.min(Math.max(xs.findIndex((each) => each >= x), 1), xs.length - 1);
  const part = Math.log(x / xs[i - 1]) / Math.log(xs[i] / xs[i - 1]);
  return ys[i - 1] + Math.min(Math.max(part, 0), 1) * (ys[i] - ys[i - 1]);
};
const make = (name, attributes = {}, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
};
const control = (box, label, element) => {
  const line = document.createElement("label"), said = document.createElement("output");
  line.append(`${label} `, element, said);
  box.append(line);
  return { element, said };
};
const choice = (names) => {
  const select = document.createElement("select");
  names.forEach((name, i) => select.add(new Option(name, i)));
  return select;
};
const slider = (steps, at) => {
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: 0, max: steps, step: 1, value: at });
  return range;
};
for (const box of document.querySelectorAll(".explorer")) {
  const told = JSON.parse(box.querySelector("script").textContent), controls = box.querySelector(".controls");
  const curve = control(controls, "curve", choice(told.curves.map((each) => each.name)));
  const law = control(controls, "law", choice([]));
  const level = control(controls, "level", slider(told.levels.length - 1, told.levels.indexOf(told.level)));
  const target = control(controls, "target", slider(told.targets.length - 1, told.target));
  const budget = control(controls, "budget", slider(100, 60));
  const answer = box.querySelector(".answer"), svg = box.querySelector("svg");
  const laws = () => {
    const names = told.curves[curve.element.value].laws.map((each) => each.name), before = law.element.value;
    law.element.replaceChildren(...choice(names).children);
    law.element.value = before !== "" && before < names.length ? before : 0;
  };
  const draw = () => {
    const one = told.curves[curve.element.value], says = one.laws[law.element.value], at = Number(level.element.value);
    const goal = told.targets[target.element.value], xs = says.x, first = xs[0], last = xs[xs.length - 1];
    const size = first * Math.pow(last / first, budget.element.value / 100);
    const [low, high] = [says.low[at], says.high[at]], tokens = says.tokens[target.element.value];
    level.said.textContent = `${Math.round(100 * told.levels[at])} %`;
    target.said.textContent = goal === undefined ? "–" : short(goal);
    budget.said.textContent = count(size);
    const lines = [`one new run at ${count(size)}: ${short(between(size, xs, says.estimate))} ` +
      `[${short(between(size, xs, low))}, ${short(between(size, xs, high))}] (${level.said.textContent})`];
    if (tokens) {
      lines.push(`${told.metric} ${short(goal)}: ${tokens.needs[at]}; chance by ${count(size)} ` +
        `${chance(between(size, xs, tokens.chance))}`);
    }
    answer.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    // Bands may be wild: the picture shows runs, curve and target, and as much of the band as is as high again.
    const core = [...one.runs.map((run) => run[1]), ...says.estimate, ...(goal === undefined ? [] : [goal])];
    const [least, most] = [Math.min(...core), Math.max(...core)], room = (most - least) || 1;
    const bottom = Math.min(least, Math.max(Math.min(...low), least - room / 2)) - room / 20;
    const top = Math.max(most, Math.min(Math.max(...high), most + room / 2)) + room / 20;
    const X = (x) => LEFT + (WIDTH - LEFT - RIGHT) * Math.log(x / first * 1.1) / Math.log(last / first * 1.2);
    const Y = (y) => HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (Math.min(Math.max(y, bottom), top) - bottom) / (top - bottom);
    const path = (ys, order) => order.map((i) => `${X(xs[i]).toFixed(1)},${Y(ys[i]).toFixed(1)}`).join(" ");
    const forth = xs.map((_, i) => i), back = [...forth].reverse();
    const parts = [
      make("rect", { x: X(one.largest), y: TOP, width: X(last) - X(one.largest), height: HEIGHT - BOTTOM - TOP, class: "zone" }),
      make("polygon", { points: `${path(low, forth)} ${path(high, back)}`, class: "band" }),
      make("polyline", { points: path(says.estimate, forth), class: "curve" }),
      make("line", { x1: X(size), x2: X(size), y1: TOP, y2: HEIGHT - BOTTOM, class: "asked" }),
    ];
    if (goal !== undefined) parts.push(make("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: Y(goal), y2: Y(goal), class: "asked" }));
    for (const [x, y, from] of one.runs) {
      const mark = make("circle", { cx: X(x), cy: Y(y), r: 4 });
      mark.append(make("title", {}, `${short(y)} at ${count(x)}${from ? `, ${from}` : ""}`));
      parts.push(mark);
    }
    for (let power = Math.ceil(Math.log10(first)); power <= Math.log10(last); power += 1) {
      parts.push(make("text", { x: X(10 ** power), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, count(10 ** power)));
    }
    const step = 10 ** Math.floor(Math.log10((top - bottom) / 3)), wide = (top - bottom) / step > 8 ? 2 * step : step;
    for (let y = Math.ceil(bottom / wide) * wide; y < top; y += wide) {
      parts.push(make("text", { x: LEFT - 6, y: Y(y) + 4, "text-anchor": "end" }, short(y)));
    }
    parts.push(make("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "pretraining tokens"));
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    parts.push(make("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, told.metric));
    svg.replaceChildren(...parts);
  };
  curve.element.addEventListener("input", () => { laws(); draw(); });
  for (const each of [law, level, target, budget]) each.element.addEventListener("input", draw);
  curve.element.value = told.curve || 0;
  laws();
  draw();
}

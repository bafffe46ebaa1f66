"use strict";
// Tables sort by their heads and filter by a word; pictures zoom. Texts are only read and moved, never made into HTML.
const worth = (cell) => cell.dataset.value ?? cell.textContent.trim();
const compare = (a, b) => {
  const [x, y] = [worth(a), worth(b)];
  const [m, n] = [parseFloat(x.replace("∞", "Infinity")), parseFloat(y.replace("∞", "Infinity"))];
  if (!Number.isNaN(m) && !Number.isNaN(n)) return m - n;
  if (Number.isNaN(m) !== Number.isNaN(n)) return Number.isNaN(m) ? 1 : -1;
  return x.localeCompare(y, undefined, { numeric: true });
};
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, i) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].sort((a, b) => compare(a.cells[i], b.cells[i]) * (down ? -1 : 1));
    body.append(...rows);
  }));
}
for (const field of document.querySelectorAll("input[type=search]")) {
  const rows = [...field.parentElement.querySelectorAll("tbody tr")];
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
for (const figure of document.querySelectorAll("figure")) {
  const svg = figure.querySelector("svg"), whole = svg.viewBox.baseVal;
  const home = [whole.x, whole.y, whole.width, whole.height];
  let box = [...home];
  const show = () => {
    svg.setAttribute("viewBox", box.join(" "));
    figure.classList.toggle("zoomed", box[2] < home[2]);
  };
  const zoom = (event, factor) => {
    const place = svg.getBoundingClientRect();
    const [u, v] = [(event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height];
    const width = Math.min(box[2] * factor, home[2]), height = width * home[3] / home[2];
    box = width === home[2] ? [...home] : [box[0] + u * (box[2] - width), box[1] + v * (box[3] - height), width, height];
    show();
  };
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the wheel alone scrolls the page
    event.preventDefault();
    zoom(event, event.deltaY > 0 ? 1.25 : 0.8);
  }, { passive: false });
  svg.addEventListener("dblclick", (event) => {
    if (box[2] < home[2]) { box = [...home]; show(); } else zoom(event, 0.4);
  });
  svg.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || box[2] === home[2]) return;
    const scale = box[2] / svg.getBoundingClientRect().width;
    box = [box[0] - event.movementX * scale, box[1] - event.movementY * scale, box[2], box[3]];
    show();
  });
}
const folded = [...document.querySelectorAll("details:not([open])")];
addEventListener("beforeprint", () => folded.forEach((each) => { each.open = true; }));
addEventListener("afterprint", () => folded.forEach((each) => { each.open = false; }));

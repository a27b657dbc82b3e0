// The curves of the cell that is picked, drawn from the numbers in the page.
(() => {
  const data = document.getElementById("curves");
  if (!data) return;
  const section = document.getElementById("explore");
  const { names, logarithmic, cells } = JSON.parse(data.textContent);
  const chart = section.querySelector(".chart");
  const [LEFT, RIGHT, TOP, BOTTOM] = [84, 12, 12, 40];
  const output = section.querySelector("output");
  const element = (name, settings, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, setting] of Object.entries(settings)) made.setAttribute(key, setting);
    made.append(...inside);
    return made;
  };

  // A scale from data to places in the drawing, with its ticks.
  const scale = (values, log, from, to) => {
    const shown = values.filter((one) => Number.isFinite(one) && (!log || one > 0));
    let [low, high] = [Math.min(...shown), Math.max(...shown)];
    if (!log) {
      const room = 0.04 * (high - low) || Math.abs(high) || 1;
      [low, high] = [low - room, high + room];
    } else if (low === high) [low, high] = [low / 2, high * 2];
    const share = (one) => (log ? Math.log(one / low) / Math.log(high / low) : (one - low) / (high - low));
    const place = (one) => from + share(one) * (to - from);
    return { place, ticks: log ? decades(low, high) : steps(low, high) };
  };
  const steps = (low, high) => {
    const rough = (high - low) / 7;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
    const ticks = [];
    for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(Number((index * step).toPrecision(12)));
    return ticks;
  };
  const decades = (low, high) => {
    const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
    const every = Math.max(1, Math.ceil((last - first + 1) / 7));
    const ticks = [];
    for (let power = first; power <= last; power += every) ticks.push(10 ** power);
    if (ticks.length > 1) return ticks;
    return [1, 2, 5].flatMap((one) => [first - 1, first].map((power) => one * 10 ** power)).filter((one) => one >= low && one <= high).sort((a, b) => a - b);
  };

  const path = (points) => {
    let pen = "M";
    return points.map(([x, y]) => {
      if (!Number.isFinite(x) || !Number.isFinite(y)) { pen = "M"; return ""; }
      const piece = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return piece;
    }).join("");
  };
  const band = (x, centre, width) => {
    const rows = x.map((at, i) => [at, centre[i], width[i]]).filter((row) => row.every(Number.isFinite));
    const upper = rows.map(([at, middle, half]) => [at, middle + half]);
    const lower = rows.map(([at, middle, half]) => [at, middle - half]).reverse();
    return [...upper, ...lower];
  };

  let cursor = null;
  const state = { cell: cells[0], name: Object.keys(names)[0], log: null };
  const draw = () => {
    // As wide as there is room, a unit to a pixel: letters keep their size on a phone.
    const WIDTH = chart.clientWidth || 640;
    const HEIGHT = Math.round(Math.min(380, 120 + 0.4 * WIDTH));
    const curve = state.cell.curves[state.name];
    const main = curve.mean ?? curve.theory;
    const t = state.cell.t.map((one) => (logarithmic && one <= 0 ? NaN : one));
    const heights = [...main, ...(curve.theory ?? [])].filter((one) => one !== null);
    const positive = heights.length > 0 && heights.every((one) => one > 0);
    const log = positive && (state.log ?? Math.max(...heights) > 20 * Math.min(...heights));
    const spread = curve.std && !log ? main.flatMap((one, i) => [one - curve.std[i], one + curve.std[i]]) : [];
    const across = scale(t, logarithmic, LEFT, WIDTH - RIGHT);
    const up = scale([...heights, ...spread], log, HEIGHT - BOTTOM, TOP);
    const at = ([x, y]) => [across.place(x), log && y <= 0 ? HEIGHT - BOTTOM : y === null ? NaN : up.place(y)];
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: 0, role: "img", "aria-label": `${names[state.name]} against t, cell ${state.cell.cell}` });
    for (const tick of across.ticks) {
      const x = across.place(tick);
      svg.append(element("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--line)" }),
        element("text", { x, y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, digits(tick)));
    }
    for (const tick of up.ticks) {
      const y = up.place(tick);
      svg.append(element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, stroke: "var(--line)" }),
        element("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" }, digits(tick)));
    }
    svg.append(element("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle", "font-style": "italic" }, "t"),
      element("text", { transform: `translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, names[state.name]));
    for (const [part, opacity] of [["std", 0.16], ["sem", 0.45]]) if (curve[part]) {
      svg.append(element("path", { d: `${path(band(t, main, curve[part]).map(at))}Z`, fill: "var(--accent)", "fill-opacity": opacity }));
    }
    svg.append(element("path", { d: path(t.map((x, i) => at([x, main[i]]))), fill: "none", stroke: "var(--accent)", "stroke-width": 2 }));
    if (curve.mean && curve.theory) {
      svg.append(element("path", { d: path(t.map((x, i) => at([x, curve.theory[i]]))), fill: "none", stroke: "currentColor", "stroke-width": 1.2, "stroke-dasharray": "6 4" }));
    }
    cursor = element("line", { y1: TOP, y2: HEIGHT - BOTTOM, stroke: "currentColor", "stroke-opacity": 0.5, visibility: "hidden" });
    svg.append(cursor);
    const read = (index) => {
      const x = across.place(t[index]);
      if (!Number.isFinite(x)) return;
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.setAttribute("visibility", "visible");
      state.index = index;
      const told = [`t = ${digits(t[index])}`];
      if (curve.mean) told.push(`mean ${value(curve.mean[index])}${curve.sem ? ` \u00b1 ${value(curve.sem[index])}` : ""}`);
      if (curve.std) told.push(`one replica \u00b1 ${value(curve.std[index])}`);
      if (curve.theory) told.push(`theory ${value(curve.theory[index])}`);
      if (curve.mean && curve.theory && curve.sem?.[index]) told.push(`off by ${((curve.mean[index] - curve.theory[index]) / curve.sem[index]).toFixed(1).replace("-", "\u2212")} s.e.`);
      output.textContent = told.join(", ");
    };
    const value = (one) => (one === null ? "\u2013" : digits(one));
    svg.onpointermove = svg.onpointerdown = (event) => {
      const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
      const distances = t.map((one) => Math.abs(across.place(one) - x)).map((one) => (Number.isFinite(one) ? one : Infinity));
      read(distances.indexOf(Math.min(...distances)));
    };
    svg.onkeydown = (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      read(Math.min(Math.max((state.index ?? -1) + move, 0), t.length - 1));
    };
    chart.replaceChildren(svg);
    output.textContent = "";
    state.index = null;
    const box = section.querySelector("input");
    box.disabled = !positive;
    box.checked = log;
    mark();
  };

  // The row of the cell in the table of cells, however that is sorted.
  const rows = [...document.querySelectorAll("#cells tbody tr")];
  const mark = () => rows.forEach((row) => row.classList.toggle("picked", row.cells[0].textContent.trim() === String(state.cell.cell)));
  const choice = (label, options, change) => {
    const select = document.createElement("select");
    select.append(...options.map(([value, text]) => new Option(text, value)));
    select.onchange = () => change(select.value);
    const around = document.createElement("label");
    around.append(label, select);
    return around;
  };
  const logBox = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.onchange = () => { state.log = box.checked; draw(); };
  logBox.append(box, "logarithmic");
  const picker = section.querySelector(".picker");
  const cellNames = cells.map(({ cell, label }, index) => [index, label ? `${cell}: ${label}` : `${cell}`]);
  picker.append(choice("Cell", cellNames, (index) => { state.cell = cells[index]; draw(); }));
  if (Object.keys(names).length > 1) {
    picker.append(choice("Observable", Object.entries(names), (name) => { state.name = name; state.log = null; draw(); }));
  }
  picker.append(logBox);
  section.hidden = false;
  addEventListener("resize", () => { if (section.querySelector("svg")?.viewBox.baseVal.width !== chart.clientWidth) draw(); });
  document.querySelector('.contents a[href="#explore"]').parentElement.hidden = false;
  draw();
})();

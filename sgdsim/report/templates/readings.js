// Values are read off the figures: the nearest point of a curve, from its place in the drawing and the scales of the axes.
const reading = (() => {
  const box = document.createElement("div");
  box.className = "reading";
  box.hidden = true;
  document.body.append(box);
  return {
    hide() { box.hidden = true; },
    show(text, x, y) {
      box.textContent = text;
      box.hidden = false;
      const left = Math.min(x + 14, document.documentElement.clientWidth - box.offsetWidth - 4);
      const above = y - box.offsetHeight - 12;
      box.style.left = `${Math.max(left, 4)}px`;
      box.style.top = `${above > 4 ? above : y + 18}px`;
    },
  };
})();
const digits = (value) => {
  const [mantissa, power] = Number(value).toPrecision(4).split("e");
  const size = Math.abs(value);
  const text = power || (size && (size < 1e-3 || size >= 1e6)) ? Number(value).toExponential(3) : String(Number(mantissa));
  return text.replace(/\.?0+e/, "e").replace("e+", "e").replace(/-/g, "\u2212");
};
(() => {
  const NEAR = 30;  // pixels, beyond which no point is meant
  const value = ([from, to, scale, first, last], place) => {
    const share = (place - from) / (to - from);
    if (scale === "log") return first * (last / first) ** share;
    return first + (last - first) * share;
  };
  // The points of a curve in the coordinates of the drawing: where its marks are, else the corners of its line.
  const points = (group) => {
    const marks = [...group.querySelectorAll("use")].map((mark) => [+mark.getAttribute("x"), +mark.getAttribute("y")]);
    if (marks.length) return marks;
    const lines = [...group.children].filter((one) => one.tagName === "path").map((one) => one.getAttribute("d"));
    return lines.flatMap((line) => [...line.matchAll(/[ML] (\S+) (\S+)/g)].map(([, x, y]) => [+x, +y]));
  };
  const curvesOf = (svg) => [...svg.querySelectorAll("[data-axes]")].map((axes) => ({
    frame: JSON.parse(axes.dataset.axes),
    curves: [...axes.querySelectorAll("[data-curve]")].map((one) => ({ label: one.dataset.curve, points: points(one) })),
  }));
  const inside = ([from, to], place) => place >= Math.min(from, to) - 1 && place <= Math.max(from, to) + 1;
  const nearest = (panels, x, y) => {
    let best = null;
    for (const { frame, curves } of panels) {
      if (!inside(frame[0], x) || !inside(frame[1], y)) continue;
      for (const { label, points } of curves) for (const [px, py] of points) {
        const distance = Math.hypot(px - x, py - y);
        if (inside(frame[0], px) && inside(frame[1], py) && (!best || distance < best.distance)) best = { frame, label, px, py, distance };
      }
    }
    return best;
  };
  for (const svg of document.querySelectorAll("figure svg")) {
    let panels = null;
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, setting] of Object.entries({ r: 4, fill: "none", stroke: "currentColor", visibility: "hidden" })) ring.setAttribute(name, setting);
    svg.append(ring);
    const leave = () => { ring.setAttribute("visibility", "hidden"); reading.hide(); };
    svg.onpointerleave = leave;
    svg.onpointermove = svg.onpointerdown = (event) => {
      panels ??= curvesOf(svg);
      const scale = svg.getScreenCTM();
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(scale.inverse());
      const found = nearest(panels, place.x, place.y);
      if (!found || found.distance * scale.a > NEAR) return leave();
      ring.setAttribute("cx", found.px);
      ring.setAttribute("cy", found.py);
      ring.setAttribute("visibility", "visible");
      const [x, y] = [value(found.frame[0], found.px), value(found.frame[1], found.py)];
      const numbers = `${found.frame[0][5]} = ${digits(x)}, ${found.frame[1][5]} = ${digits(y)}`;
      const at = new DOMPoint(found.px, found.py).matrixTransform(scale);
      reading.show(found.label ? `${found.label}\n${numbers}` : numbers, at.x, at.y);
    };
  }
})();

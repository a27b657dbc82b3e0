// Tables of more than one row are sorted by the column whose heading is pressed, numbers by size.
(() => {
  const key = (cell) => {
    const power = cell.querySelector("sup");
    const text = cell.textContent.replace(/\u2212/g, "-");
    const number = power ? text.split("\u00d7")[0].trim() + "e" + power.textContent.replace("\u2212", "-") : text;
    const plain = number.replace(/\(\d+\)/, "").trim();
    const found = /^[+-]?\d[\d.]*(e-?\d+)?/.exec(plain);
    return found ? Number(found[0]) : plain;
  };
  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;  // what is no number comes last
    return one.localeCompare(other);
  };
  const sort = (body, column, sign) => {
    const keyed = [...body.rows].map((row) => [key(row.cells[column]), row]);
    keyed.sort(([one], [other]) => (typeof one === "number" && typeof other === "number" ? sign : 1) * compare(one, other));
    body.append(...keyed.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.grid")) {
    const [body] = table.tBodies;
    if (body.rows.length < 2) continue;
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.append(...heading.childNodes);
      button.onclick = () => {
        const descending = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((one) => one.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(body, column, descending ? -1 : 1);
      };
      heading.append(button);
    });
  }
})();

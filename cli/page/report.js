// The table of rows in a report: searched, sorted and turned by page. What it shows is data, and stands in no markup.
(() => {
  const { columns, rows } = JSON.parse(document.getElementById("data").textContent);
  const [table, search, status, previous, next] = ["rows", "search", "status", "previous", "next"].map((id) =>
    document.getElementById(id),
  );
  if (table === null) return;
  const perPage = 50;
  const order = new Intl.Collator("en", { numeric: true }).compare;
  let [found, first, by, direction] = [rows, 0, -1, 1];

  function show() {
    const page = found.slice(first, first + perPage).map((row) => {
      const line = document.createElement("tr");
      for (const [place, value] of row.entries()) {
        const cell = document.createElement("td");
        cell.textContent = value ?? "";
        if (columns[place].isNumber) cell.className = "number";
        line.append(cell);
      }
      return line;
    });
    table.tBodies[0].replaceChildren(...page);
    const count = found.length.toLocaleString("en");
    status.textContent = page.length === 0 ? "No row has that." : `${first + 1} to ${first + page.length} of ${count}`;
    previous.disabled = first === 0;
    next.disabled = first + perPage >= found.length;
  }

  function look() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = rows.filter((row) => {
      const text = row.join("\n").toLowerCase();
      return words.every((word) => text.includes(word));
    });
    if (by >= 0) found = found.toSorted((one, other) => direction * order(one[by] ?? "", other[by] ?? ""));
    first = 0;
    show();
  }

  const heads = [...table.tHead.rows[0].cells];
  for (const [place, head] of heads.entries()) {
    head.querySelector("button").addEventListener("click", () => {
      [by, direction] = [place, by === place ? -direction : 1];
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      look();
    });
  }
  search.addEventListener("input", look);
  previous.addEventListener("click", () => {
    first -= perPage;
    show();
  });
  next.addEventListener("click", () => {
    first += perPage;
    show();
  });
  show();
})();

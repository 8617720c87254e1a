(() => {
  const table = document.querySelector("table.files"), bodies = [...table.tBodies];
  const filters = document.querySelector(".filters"), status = filters.querySelector("[role=status]");
  const text = filters.querySelector("input"), label = filters.querySelector("select");
  const tiles = [...document.querySelectorAll(".tiles button")];
  let state = "";
  const show = () => {
    const words = text.value.trim().toLowerCase();
    let shown = 0;
    for (const body of bodies) {
      const has = body.dataset;
      body.hidden = !(
        (!state || has.state === state || (state === "warnings" && has.warnings > 0)) &&
        (!label.value || has.label === label.value) &&
        body.rows[0].cells[0].textContent.toLowerCase().includes(words));
      shown += !body.hidden;
    }
    status.textContent = shown + " of " + bodies.length + " files";
  };
  const order = (column, down, number) => {
    const key = body => body.rows[0].cells[column]?.dataset.value ?? "";
    const compare = (a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      return (down ? -1 : 1) * (number ? x - y : x.localeCompare(y, undefined, {numeric: true}));
    };
    table.append(...[...bodies].sort(compare));
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const number = "number" in head.dataset, was = head.getAttribute("aria-sort");
      const down = was ? was === "ascending" : number;
      heads.forEach(one => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      order(column, down, number);
    });
  });
  for (const tile of tiles) tile.addEventListener("click", () => {
    state = state === tile.dataset.state ? "" : tile.dataset.state;
    tiles.forEach(one => one.setAttribute("aria-pressed", one.dataset.state === state));
    show();
  });
  text.addEventListener("input", show);
  label.addEventListener("change", show);
  filters.hidden = false;
  show();
})();

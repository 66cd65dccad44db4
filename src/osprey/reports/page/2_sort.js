{
  // Tables sort by the column whose heading is pressed; pressed again, the other way round.
  const value = (row, column) => {
    const text = row.cells[column].dataset.value;
    const number = Number(text);
    return text !== "" && Number.isFinite(number) ? number : text;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

  for (const button of document.querySelectorAll(".sort")) {
    button.addEventListener("click", () => {
      const heading = button.closest("th");
      const body = button.closest("table").tBodies[0];
      const up = heading.ariaSort !== "ascending" && (heading.ariaSort === "descending" || heading.cellIndex === 0);
      for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
      heading.ariaSort = up ? "ascending" : "descending";
      const rows = [...body.rows];
      rows.sort((a, b) => (up ? 1 : -1) * compare(value(a, heading.cellIndex), value(b, heading.cellIndex)));
      body.append(...rows);
    });
  }
}

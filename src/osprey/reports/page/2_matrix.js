// The confusion matrix: a tap on a cell reads it, a choice counts it anew and brings its class near.
const onMatrix = (size, background = false) => {
  const picture = document.querySelector(".matrix svg");
  const box = picture.closest(".scroll");
  const said = document.getElementById("said");
  const cells = [...picture.querySelectorAll("[data-at]")];
  const names = [...picture.querySelectorAll("[data-name]")];
  const strength = (share) => 0.12 + 0.88 * share ** 0.7; // as confusion.py draws it
  const depth = (opacity) => (opacity > 0.78 ? " over" : opacity > 0.6 ? " half" : "");

  const tell = (event) => {
    const text = event.target.dataset?.said;
    if (text) said.textContent = text;
  };
  picture.addEventListener("pointerover", tell);
  picture.addEventListener("click", tell);

  const write = (cell, kind, share, text) => {
    cell.querySelector("rect").style.setProperty(`--${kind}`, strength(share).toFixed(2));
    const words = cell.querySelector(`text.${kind}`);
    if (!words) return; // of many classes the cells have no text
    words.setAttribute("class", `mid ${kind}${depth(strength(share))}`);
    words.textContent = text;
  };

  const show = (cell, n, total, most, alarms) => {
    const rate = n / total, rect = cell.querySelector("rect");
    write(cell, "rate", rate, alarms ? n : `${Math.round(100 * rate)}%`);
    write(cell, "count", n / most, n);
    const of = alarms ? counted(total, "false alarm") : total;
    const text = `${cell.dataset.what}: ${n} of ${of} (${(100 * rate).toFixed(1)}%)`;
    rect.dataset.said = text;
    rect.querySelector("title").textContent = text;
  };

  // Within the box alone: the page stays where it is.
  const bring = (label) => {
    const outer = box.getBoundingClientRect();
    const [row, column] = names.filter((name) => Number(name.dataset.name) === label)
      .map((name) => name.getBoundingClientRect());
    box.scrollTo({
      left: column.left - outer.left + box.scrollLeft - box.clientWidth / 2,
      top: row.top - outer.top + box.scrollTop - box.clientHeight / 2,
    });
  };

  return (pairs, label) => {
    const totals = new Array(size).fill(0);
    for (const [at, n] of pairs) totals[Math.floor(at / size)] += n;
    const most = Math.max(1, ...pairs.values());
    for (const cell of cells) {
      const at = Number(cell.dataset.at), row = Math.floor(at / size), n = pairs.get(at) ?? 0;
      cell.setAttribute("visibility", n ? "visible" : "hidden");
      cell.classList.toggle("dim", label >= 0 && row !== label && at % size !== label);
      if (n) show(cell, n, totals[row], most, background && row === size - 1);
    }
    for (const name of names) name.classList.toggle("strong", Number(name.dataset.name) === label);
    said.textContent = "Tap a cell to read it.";
    if (label >= 0) bring(label);
    else box.scrollTo({ left: 0, top: 0 });
  };
};

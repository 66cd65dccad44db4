{
  // Figures, confusions and photos of one class or one slice, counted anew from every answer.
  const data = JSON.parse(document.getElementById("samples").textContent);
  const body = document.querySelector("#confusions tbody");
  const percent = (share) => `${(100 * share).toFixed(1)}%`;

  const wilson = (right, n) => {
    const z = 1.959964, share = right / n, extra = (z * z) / n;
    const centre = (share + extra / 2) / (1 + extra);
    const half = (z / (1 + extra)) * Math.sqrt((share * (1 - share)) / n + extra / (4 * n));
    return [Math.max(0, centre - half), Math.min(1, centre + half)];
  };

  const isIn = ({ label, inside }, row) => (label < 0 || data.labels[row] === label) && inside(row);

  const redraw = onMatrix(data.classes.length);

  // Of every class: the choice of one only dims the others.
  const matrixOf = ({ inside, label }) => {
    const pairs = new Map();
    let n = 0;
    for (let row = 0; row < data.labels.length; row += 1) {
      if (!inside(row)) continue;
      const at = data.labels[row] * data.classes.length + data.predicted[row];
      pairs.set(at, (pairs.get(at) ?? 0) + 1);
      n += 1;
    }
    redraw(pairs, label);
    document.querySelector("[data-of]").textContent = `n=${n}`;
  };

  const countUp = (choice) => {
    const found = { n: 0, right: 0, score: 0, pairs: new Map(), of: new Map() };
    for (let row = 0; row < data.labels.length; row += 1) {
      if (!isIn(choice, row)) continue;
      const label = data.labels[row], answer = data.predicted[row];
      found.n += 1;
      found.score += data.scores[row] / 1000;
      found.of.set(label, (found.of.get(label) ?? 0) + 1);
      if (label === answer) { found.right += 1; continue; }
      const pair = label * data.classes.length + answer;
      found.pairs.set(pair, (found.pairs.get(pair) ?? 0) + 1);
    }
    return found;
  };

  const tableRow = (cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, index) => {
      const cell = row.insertCell();
      cell.textContent = text;
      if (index > 1) cell.className = "n";
    });
    return row;
  };

  const showConfusions = (found) => {
    const ranked = [...found.pairs].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 20);
    const rows = ranked.map(([pair, n]) => {
      const label = Math.floor(pair / data.classes.length);
      const answer = data.classes[pair % data.classes.length];
      return tableRow([data.classes[label], answer, n, percent(n / found.of.get(label))]);
    });
    body.replaceChildren(...(rows.length ? rows : [tableRow(["No mistakes.", "", "", ""])]));
  };

  const count = (choice) => {
    const found = countUp(choice);
    const [low, high] = found.n ? wilson(found.right, found.n) : [0, 1];
    document.querySelector("[data-of-class]").textContent = `n=${found.n}`;
    matrixOf(choice);
    showConfusions(found);
    return found.n
      ? `n=${found.n}: top-1 ${percent(found.right / found.n)} (${percent(low)} to ${percent(high)}), mean score ${percent(found.score / found.n)}`
      : "no photos";
  };

  onChoice(data, { count, shows: (card, choice) => isIn(choice, Number(card.dataset.row)) });
}

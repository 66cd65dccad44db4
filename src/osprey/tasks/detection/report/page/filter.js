{
  // Precision, recall and photos of one class or one slice, added up anew from every photo.
  const data = JSON.parse(document.getElementById("samples").textContent);
  const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");

  const size = data.classes + 1; // the last row and column are no class
  const redraw = onMatrix(size, true);

  const matrixOf = ({ inside, label }) => {
    const pairs = new Map();
    for (let at = 0; at < data.pairs.length; at += 3) {
      if (!inside(data.pairs[at])) continue;
      const cell = data.pairs[at + 1] * size + data.pairs[at + 2];
      pairs.set(cell, (pairs.get(cell) ?? 0) + 1);
    }
    redraw(pairs, label);
  };

  const count = (choice) => {
    const { label, codes, code, inside } = choice;
    matrixOf(choice);
    const photos = codes ? codes.filter((value) => value === code).length : data.photos;
    let boxes = 0, found = 0, right = 0;
    for (let at = 0; at < data.rows.length; at += 5) {
      if (!inside(data.rows[at]) || (label >= 0 && data.rows[at + 1] !== label)) continue;
      boxes += data.rows[at + 2];
      found += data.rows[at + 3];
      right += data.rows[at + 4];
    }
    return `${counted(photos, "photo")}, ${counted(boxes, "box")}: recall ${share(right, boxes)}, precision ${share(right, found)}`;
  };

  const shows = (card, { label, inside }) =>
    inside(Number(card.dataset.row)) && (label < 0 || Number(card.dataset.class) === label);

  onChoice(data, { count, shows });
}

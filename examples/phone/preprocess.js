// A photo as the network takes it: what osprey.imaging does, step by step, so that the page answers
// as `classify` does. Canvas is used to decode only: its own resizing differs between browsers.
// An image is {data, width, height}, data being RGB bytes, row by row.

const PADDING_GREY = 114;

// osprey.imaging.preprocess.Preprocess: a photo, and the card's "preprocess".
export function preprocess(image, card, isJpeg) {
  const { size } = card;
  const cropSide = Math.max(size, round(size / card.crop_pct));
  if (isJpeg) image = asDecoded(image, card.resize === "crop" ? cropSide : size);
  if (card.resize === "crop") return crop(image, size, cropSide);
  if (card.resize === "letterbox") return letterbox(image, size);
  return resized(image, size, size);
}

// Osprey lets libjpeg decode a large JPEG at 1/8 to 4/8 of its size; browsers decode it whole.
// libjpeg averages whole pixels, but for 3/8.
function asDecoded(image, leastSide) {
  const { width, height } = image;
  if (leastSide >= Math.min(width, height)) return image;
  for (let eighths = 1; eighths <= 4; eighths++) {
    const [small, low] = [Math.ceil((width * eighths) / 8), Math.ceil((height * eighths) / 8)];
    if (Math.min(small, low) < leastSide) continue;
    return resampled(image, small, low, eighths === 3 ? threeOfEightTaps : areaTaps);
  }
  return image;
}

function crop(image, size, side) {
  const [wide, high] = cropSides(image, side);
  if (Math.max(wide, high) > 8 * side) {
    // Of a sliver only the middle survives; see Preprocess._kept.
    const most = 8 * Math.min(image.width, image.height);
    image = middle(image, Math.min(image.width, most), Math.min(image.height, most));
  }
  return middle(resized(image, ...cropSides(image, side)), size, size);
}

function cropSides({ width, height }, side) {
  const scale = side / Math.min(width, height);
  return [Math.max(side, round(width * scale)), Math.max(side, round(height * scale))];
}

function letterbox(image, size) {
  const scale = size / Math.max(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) =>
    Math.min(size, Math.max(1, round(side * scale))),
  );
  const small = resized(image, width, height);
  const data = new Uint8ClampedArray(size * size * 3).fill(PADDING_GREY);
  const [left, top] = [Math.floor((size - width) / 2), Math.floor((size - height) / 2)];
  for (let y = 0; y < height; y++) {
    const row = small.data.subarray(y * width * 3, (y + 1) * width * 3);
    data.set(row, ((top + y) * size + left) * 3);
  }
  return { data, width: size, height: size };
}

function middle(image, width, height) {
  const left = Math.floor((image.width - width) / 2);
  const top = Math.floor((image.height - height) / 2);
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { data, width, height };
}

// osprey.imaging.resize.resized: averaging along an axis that shrinks, cubic along one that grows.
export function resized(image, width, height) {
  const [lowWidth, lowHeight] = [Math.min(width, image.width), Math.min(height, image.height)];
  const [across, down] = [image.width / lowWidth, image.height / lowHeight];
  if (across > 1 || down > 1) {
    const isWhole = Number.isInteger(across) && Number.isInteger(down);
    if (Math.max(across, down) <= 4 && !isWhole) {
      const [fine, tall] = [across > 1 ? 2 * lowWidth : lowWidth, down > 1 ? 2 * lowHeight : lowHeight];
      image = resampled(image, fine, tall, linearTaps);
    }
    image = resampled(image, lowWidth, lowHeight, areaTaps);
  }
  return resampled(image, width, height, cubicTaps);
}

// Resample both axes; `taps` gives each new pixel of an axis the old ones it is made of.
function resampled(image, width, height, taps) {
  if (image.width === width && image.height === height) return image;
  const columns = taps(image.width, width);
  const rows = taps(image.height, height);
  const data = new Uint8ClampedArray(width * height * 3);
  const line = new Float32Array(image.width * 3);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (const [from, weight] of rows[y]) {
      const start = from * line.length;
      for (let i = 0; i < line.length; i++) line[i] += weight * image.data[start + i];
    }
    for (let x = 0; x < width; x++) {
      let [red, green, blue] = [0, 0, 0];
      for (const [from, weight] of columns[x]) {
        red += weight * line[3 * from];
        green += weight * line[3 * from + 1];
        blue += weight * line[3 * from + 2];
      }
      data.set([red, green, blue], (y * width + x) * 3);  // rounded and clamped
    }
  }
  return { data, width, height };
}

// Each block of 8 pixels becomes 3, by the lowest frequencies of its cosine transform.
function threeOfEightTaps(before, after) {
  const wave = (u, x, n) => Math.cos(((2 * x + 1) * u * Math.PI) / (2 * n));
  const weight = (x, k) =>
    (1 + 2 * wave(1, x, 8) * wave(1, k, 3) + 2 * wave(2, x, 8) * wave(2, k, 3)) / 8;
  return Array.from({ length: after }, (_, i) =>
    Array.from({ length: 8 }, (_, x) => {
      const from = Math.min(before - 1, 8 * Math.floor(i / 3) + x);
      return [from, weight(x, i % 3)];
    }),
  );
}

function areaTaps(before, after) {
  const scale = before / after;
  return Array.from({ length: after }, (_, i) => {
    const [low, high] = [i * scale, Math.min(before, (i + 1) * scale)];
    const taps = [];
    for (let from = Math.floor(low); from < high - 1e-9; from++) {
      taps.push([from, (Math.min(from + 1, high) - Math.max(from, low)) / (high - low)]);
    }
    return taps;
  });
}

function linearTaps(before, after) {
  return interpolated(before, after, 0, (t) => [1 - t, t]);
}

function cubicTaps(before, after) {
  const a = -0.75;  // as OpenCV
  const near = (d) => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return interpolated(before, after, -1, (t) => [far(1 + t), near(t), near(1 - t), far(2 - t)]);
}

function interpolated(before, after, first, weights) {
  return Array.from({ length: after }, (_, i) => {
    const place = ((i + 0.5) * before) / after - 0.5;
    const whole = Math.floor(place);
    return weights(place - whole).map((weight, k) => {
      const from = Math.min(before - 1, Math.max(0, whole + first + k));
      return [from, weight];
    });
  });
}

// As Python rounds: a half goes to the even number.
function round(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

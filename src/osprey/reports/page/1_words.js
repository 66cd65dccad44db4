// A number with its noun, as osprey.system.console.counted says it: "1 photo", "2 boxes".
const counted = (n, noun) => (n === 1 ? `${n} ${noun}` : `${n} ${noun}${/[sx]$/.test(noun) ? "es" : "s"}`);

// From logits to a symbol; the twin of lstm_jax/text/filters.py.

const BLOCK = 128;

/**
 * Compute the mass of each symbol, exp((logit - max) / temperature); 0 for excluded symbols.
 * The nucleus is the smallest set, largest first, whose share of the mass reaches topP.
 * Among equal logits the lower ids stay.
 */
export function massesOf(logits, temperature, topP) {
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const masses = new Float32Array(logits.length);
  if (temperature < 2 ** -126) {
    masses[logits.indexOf(top)] = 1;
    return masses;
  }
  const massOf = (logit) => Math.exp(Math.fround(logit - top) / temperature);
  for (let id = 0; id < logits.length; id++) masses[id] = massOf(logits[id]);
  if (topP >= 1) return masses;
  const ranked = logits.slice().sort().reverse();
  const target = topP * masses.reduce((sum, mass) => sum + mass, 0);
  let count = 0;
  for (let before = 0; count < ranked.length && before < target; count++)
    before += massOf(ranked[count]);
  const last = ranked[Math.max(count, 1) - 1];
  let room = count - ranked.indexOf(last);
  return masses.map((mass, id) => {
    if (logits[id] === last) return room-- > 0 ? mass : 0;
    return logits[id] > last ? mass : 0;
  });
}

/** Find the first symbol at which the running sum exceeds `uniform` of the whole mass. */
export function draw(masses, uniform) {
  const sums = [];
  for (let start = 0; start < masses.length; start += BLOCK)
    sums.push(masses.subarray(start, start + BLOCK).reduce((sum, mass) => sum + mass, 0));
  const target = uniform * sums.reduce((sum, mass) => sum + mass, 0);
  const [block, before] = crossing(sums, target);
  const inside = masses.subarray(block * BLOCK, (block + 1) * BLOCK);
  return block * BLOCK + crossing(inside, target - before)[0];
}

/** Find where the running sum exceeds a target (at most the last mass above 0) and the sum before. */
function crossing(masses, target) {
  let [before, sum, last] = [0, 0, 0];
  for (let at = 0; at < masses.length; at++) {
    if (!masses[at]) continue;
    [before, last] = [sum, at];
    sum += masses[at];
    if (sum > target) break;
  }
  return [last, before];
}

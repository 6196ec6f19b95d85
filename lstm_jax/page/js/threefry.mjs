// The random numbers of jax.random with its default keys, threefry2x32 (Salmon et al. 2011,
// "Parallel random numbers: as easy as 1, 2, 3"). A key is a pair of 32-bit words.
//
//   key(seed)          (0, seed)
//   foldIn(key, n)     threefry(key, (0, n)), both words
//   uniform(key)       the two words of threefry(key, (0, 0)) combined by xor; the upper 23 bits
//                      are the fraction of a number in [1, 2), from which 1 is subtracted

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

export function threefry([k0, k1], [x0, x1]) {
  const keys = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
  let a = (x0 + k0) >>> 0;
  let b = (x1 + k1) >>> 0;
  for (let round = 0; round < 5; round++) {
    for (const turn of ROTATIONS[round % 2]) {
      a = (a + b) >>> 0;
      b = ((b << turn) | (b >>> (32 - turn))) ^ a;
    }
    a = (a + keys[(round + 1) % 3]) >>> 0;
    b = (b + keys[(round + 2) % 3] + round + 1) >>> 0;
  }
  return [a, b >>> 0];
}

export const makeKey = (seed) => [0, seed >>> 0];

export const foldIn = (key, number) => threefry(key, [0, number >>> 0]);

export function uniform(key) {
  const [a, b] = threefry(key, [0, 0]);
  return ((a ^ b) >>> 9) / 2 ** 23;
}

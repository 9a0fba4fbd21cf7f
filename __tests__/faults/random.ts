/** Gives numbers from 0 up to, and without, the one that it is asked for: the same ones for the same seed. */
export const numbersOf = (seed: number) => {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

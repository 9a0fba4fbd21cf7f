const { basename } = require("node:path");
const { default: Sequencer } = require("@jest/test-sequencer");

/**
 * Files that take minutes, the longest first. In a fresh clone jest begins with the largest files, and these are small: each
 * of their few lines tries a hundred things. Begun last, they would run alone at the end, on one processor.
 */
const long = ["lifecycle", "first-deployment", "loader-faults", "worker-faults", "model", "review", "policies"];

const placeOf = ({ path }) => {
  const place = long.indexOf(basename(path, ".test.ts"));
  return place < 0 ? long.length : place;
};

module.exports = class LongestFirst extends Sequencer {
  /** Jest's own order, but for these. */
  sort(tests) {
    return super.sort(tests).sort((one, other) => placeOf(one) - placeOf(other));
  }
};

import { isInside, overlap, parseCidr } from "../../aws/cidr";

test("reads a block's first and last address", () => {
  expect(parseCidr("10.0.2.0/24")).toEqual({ first: 0x0a000200, last: 0x0a0002ff, prefixLength: 24 });
  expect(parseCidr("255.255.255.255/32")).toEqual({ first: 0xffffffff, last: 0xffffffff, prefixLength: 32 });
});

test.each(["10.0.2.1/24", "10.0.2.0", "10.0.2.0/33", "10.0.256.0/24", "10.0.02.0/24", "10.0.2.0/024", "::/0", ""])(
  "does not take %j for a block",
  (text) => {
    expect(parseCidr(text)).toBeUndefined();
  },
);

test.each([
  ["10.0.0.0/24", "10.0.0.0/16", true],
  ["10.0.0.0/16", "10.0.0.0/16", true],
  ["10.0.0.0/15", "10.0.0.0/16", false],
  ["10.0.255.0/24", "10.0.0.0/16", true],
  ["10.1.0.0/24", "10.0.0.0/16", false],
])("%s inside %s is %s", (inner, outer, inside) => {
  expect(isInside(inner, outer)).toBe(inside);
});

test.each([
  ["10.0.2.0/24", "10.0.2.128/25", true],
  ["10.0.2.128/25", "10.0.2.0/24", true],
  ["10.0.2.0/24", "10.0.3.0/24", false],
])("%s overlaps %s is %s", (one, other, overlaps) => {
  expect(overlap(one, other)).toBe(overlaps);
});

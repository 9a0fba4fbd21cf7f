import { deliveriesThrough } from "../../contract/return-delay";

test.each([
  [0, 1],
  [5, 2], // one return of at least 5 s
  [6, 3],
  [635, 8], // 5 + 10 + 20 + 40 + 80 + 160 + 320
  [636, 9], // from here on at least 450 s each
  [43_200, 103],
])("an outage of %i s is outlasted by %i deliveries at the shortest delays", (outage, deliveries) => {
  expect(deliveriesThrough(outage, { first: 10, longest: 900 })).toBe(deliveries);
});

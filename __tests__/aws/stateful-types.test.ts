import { lossRules, statefulTypes, statelessTypes } from "../../aws/stateful-types";
import { fullStacks, synthesizedStacks } from "../setup/stacks";
import { inventoryOf } from "../setup/synth";

const stateful = Object.keys(statefulTypes);
const listed = [...stateful, ...statelessTypes];

const stacks = { ...synthesizedStacks(), "a stack with all that can be switched on": fullStacks().inference };

test.each(Object.entries(stacks))("every type of resource in %s is in one of the lists", (_, json) => {
  const types = Object.keys(inventoryOf(json));
  expect(types.length).toBeGreaterThan(5);
  expect(types.filter((type) => !listed.includes(type))).toEqual([]);
});

test("no type is listed twice", () => {
  expect(listed.filter((type, index) => listed.indexOf(type) !== index)).toEqual([]);
});

test("every stateful type says what is lost, and every rule is about a listed type", () => {
  expect(Object.values(statefulTypes).filter((reason) => reason.length < 10)).toEqual([]);
  expect(lossRules.filter(({ type }) => !listed.includes(type))).toEqual([]);
});

import { ProductionVariantInstanceType } from "@aws-sdk/client-sagemaker";
import { familyOf, instanceTypes } from "../../aws/instance-types";

test("knows just the sizes SageMaker has of its instance types", () => {
  const known = [...instanceTypes.keys()];
  const kinds = new Set(known.map((type) => type.split(".")[1]));
  const ofSageMaker = Object.values(ProductionVariantInstanceType).filter((type) => kinds.has(type.split(".")[1]));

  expect(known.sort()).toEqual(ofSageMaker.sort());
});

test.each([
  ["ml.inf1.xlarge", "inf1"],
  ["ml.inf1.24xlarge", "inf1"],
  ["ml.inf2.xlarge", "inf2"],
  ["ml.inf2.48xlarge", "inf2"],
  ["ml.c6i.xlarge", "cpu"],
  ["ml.m5.large", "cpu"],
])("%s is of family %s", (type, family) => {
  expect(familyOf(type)).toBe(family);
});

test.each(["inf1.xlarge", "ml.inf1.large", "ml.g5.xlarge", "ml.c7g.xlarge", "toString"])("refuses %s", (type) => {
  expect(() => familyOf(type)).toThrow(/^instanceType must be one of ml\.inf1\.\{xlarge,.* got "/);
});

import type { EnvironmentSettings } from "../../config";
import { defaultModelName, defaultNamesOf } from "../../config/default-model";
import { dev, faults, faultsWith, settings } from "../setup/settings";

describe("the feature group", () => {
  test("may have the record identifier as its event time, as in the original", () => {
    const feature = { name: "id", type: "Fractional" } as const;
    expect(dev({ features: { recordIdentifier: feature, eventTime: feature } }).features).toMatchObject({
      recordIdentifier: feature,
      eventTime: feature,
    });
  });

  test("may not give one feature two types", () => {
    expect(
      faults(settings({ features: { recordIdentifier: { type: "Fractional" }, eventTime: { name: "id" } } })),
    ).toEqual([
      'environments.dev.features.eventTime.type: got "String"; allowed: "Fractional", for it is the same feature as the record identifier',
    ]);
  });

  test("knows the types Feature Store has", () => {
    expect(faultsWith("features.recordIdentifier.type", "Integral")).toEqual([]);
    expect(faultsWith("features.recordIdentifier.type", "Number")).toEqual([
      expect.stringContaining('got "Number"; allowed: "String", "Integral", "Fractional" (https://'),
    ]);
    expect(faultsWith("features.eventTime.type", "Integral")).toEqual([
      expect.stringContaining('got "Integral"; allowed: "String", "Fractional" (https://'),
    ]);
  });

  test("may have an offline store in S3", () => {
    expect(faultsWith("features.offlineStoreS3Uri", "s3://our-features/offline")).toEqual([]);
    expect(faultsWith("features.offlineStoreS3Uri", "https://our-features")).toHaveLength(1);
  });

  test("may be none", () => {
    expect(dev({ features: false }).features).toBe(false);
    expect(faultsWith("features", true)).toEqual([
      expect.stringContaining("environments.dev.features: got true; allowed: an object with fields of groupName,"),
    ]);
  });

  describe("of other features", () => {
    const groupOf = (features: Record<string, "String" | "Integral">, more: EnvironmentSettings = {}) => {
      const group = dev({ ...more, model: { contract: { features } } }).features;
      if (group === false) throw new Error("no feature group");
      return group;
    };
    const age = groupOf({ age: "Integral", city: "String" });

    test("is another group, whose name and id carry them", () => {
      expect(age).toMatchObject({
        groupName: expect.stringMatching(new RegExp(`^poc-dev-${defaultModelName}-[0-9a-f]{8}$`)),
        contractId: expect.stringMatching(/^[0-9a-f]{8}$/),
      });
      const others = [groupOf({ city: "String", age: "Integral" }), groupOf({ age: "String", city: "String" })];
      expect(new Set([age, ...others].map((group) => group.contractId)).size).toBe(3);
      expect(dev().features).not.toHaveProperty("contractId");
    });

    test("is one for all contracts of the same features", () => {
      const contract = { features: { age: "Integral", city: { type: "String", optional: true } } } as const;
      const other = { ...contract, request: "csv", answer: "json", outputs: { label: "text" } } as const;
      expect(dev({ model: { contract: other } }).features).toEqual(age);
    });

    test("carries them behind a name that is given, and beside what was taken over", () => {
      const id = age.contractId;
      const features = { age: "Integral", city: "String" } as const;
      expect(groupOf(features, { features: { groupName: "ours" } })).toMatchObject({ groupName: `poc-dev-ours-${id}` });
      expect(groupOf(features, { takeOver: true })).toMatchObject({ contractId: id });
      expect(dev({ takeOver: true }).features).toMatchObject({
        groupName: `poc-dev-${defaultNamesOf(defaultModelName).featureGroup}`,
      });
    });

    test("has a name that leaves room for them", () => {
      const contract = { features: { age: "Integral" } } as const;
      const longest = "a".repeat(64 - "poc-dev-".length - "-01234567".length);
      expect(faultsWith("features.groupName", longest, { model: { contract } })).toEqual([]);
      expect(faultsWith("features.groupName", `${longest}a`, { model: { contract } })).toEqual([
        expect.stringMatching(
          /^environments\.dev\.features\.groupName: got "poc-dev-a+-[0-9a-f]{8}"; allowed: in full 1 to 64/,
        ),
      ]);
    });
  });
});

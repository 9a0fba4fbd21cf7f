import { faultsWith } from "../setup/settings";

describe("where the warehouse may unload to", () => {
  test("is a folder of a bucket", () => {
    expect(faultsWith("warehouse.unloadS3Uri", "s3://our-results/unloaded")).toEqual([]);
    for (const wrong of ["s3://our-results", "s3://our-results/unloaded/", "s3://our-results/it's"]) {
      expect(faultsWith("warehouse.unloadS3Uri", wrong)).toHaveLength(1);
    }
  });
});

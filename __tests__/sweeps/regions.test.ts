import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { imageRegions } from "../../aws/model-images";
import { partitionOf } from "../../aws/partitions";
import { fullStacks } from "../setup/stacks";

const unique = (found: Iterable<readonly (string | undefined)[]>) => [...new Set([...found].map(([, part]) => part))];

describe.each(imageRegions)("the stacks in %s", (region) => {
  const { name, dnsSuffix } = partitionOf(region);
  const stacks = fullStacks(region);
  const all = Object.values(stacks).join("\n");

  test("have ARNs of that region's partition alone", () => {
    expect(unique(all.matchAll(/\barn:([^:]+):/g))).toEqual([name]);
    expect(unique(all.matchAll(/\barn:[^:]+:[\w-]+:([a-z]{2}-[^:]+):/g))).toEqual([region]);
  });

  test("take images from that region's registries, and reach its S3", () => {
    expect(unique(all.matchAll(/\d{12}\.dkr\.ecr\.([^/]+)\//g))).toEqual([`${region}.${dnsSuffix}`]);
    expect(stacks.inference).toHaveResourceWithProperties(VpcEndpoint, { service_name: `com.amazonaws.${region}.s3` });
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { partition } from "@aws-sdk/core/client";
import { limits } from "../../aws/limits";
import { imageRegions } from "../../aws/model-images";
import { arnIn, partitionOf, partitions } from "../../aws/partitions";

const isolated = ["us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"];

test.each([...imageRegions, ...isolated, "eusc-de-east-1", "sa-west-1", "of-tomorrow-1"])(
  "%s is in the partition that AWS's SDK has for it",
  (region) => {
    const { name, dnsSuffix } = partition(region);
    expect(partitionOf(region)).toEqual({ name, dnsSuffix });
  },
);

test("an ARN is that of its region's partition", () => {
  expect(arnIn("eu-west-1", "s3:::bucket")).toBe("arn:aws:s3:::bucket");
  expect(arnIn("cn-northwest-1", "s3:::bucket")).toBe("arn:aws-cn:s3:::bucket");
  expect(arnIn("us-gov-east-1", "s3:::bucket")).toBe("arn:aws-us-gov:s3:::bucket");
});

test("no other file writes a partition into an ARN", () => {
  const sources = ["aws", "cli", "config", "constructs", "contract", "lambda-src", "pipeline", "stacks"].flatMap(
    (folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".ts"))
        .map((file) => join(folder, file)),
  );
  expect(sources.filter((file) => /arn:aws/.test(readFileSync(file, "utf8")))).toEqual([join("aws", "partitions.ts")]);
});

test("an image may be in a registry of every partition, and nowhere else", () => {
  const isImage = (domain: string) =>
    limits.sagemaker.image.pattern.test(`123456789012.dkr.ecr.some-region-1.${domain}/team/model:1`);
  expect(partitions.map(({ dnsSuffix }) => isImage(dnsSuffix))).toEqual(partitions.map(() => true));
  for (const domain of ["amazonawsxcom", "amazonaws.com.example.org", "example.org"]) {
    expect([domain, isImage(domain)]).toEqual([domain, false]);
  }
});

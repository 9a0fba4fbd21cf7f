import { readFileSync } from "node:fs";
import { z } from "zod";
import { databaseUserOf, readerUser, schemaStatements } from "../../constructs/prediction-schema";
import { folders, sampleKey } from "../../contract/answers-bucket";
import { jobFolders } from "../../contract/job";
import { tables } from "../../contract/load-tables";
import { dev } from "../setup/dev";
import { rowsOf } from "../setup/markdown";
import { synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf } from "../setup/synth";

const page = readFileSync("docs/security.md", "utf8");
const sectionOf = (title: string) => {
  const [, found] = page.split(`\n## ${title}\n`);
  if (found === undefined) throw new Error(`docs/security.md has no section "${title}"`);
  return found.split("\n## ")[0] ?? "";
};
const statementSchema = z.object({
  Principal: z.object({ Service: z.string() }),
  Action: z.array(z.string()),
  Condition: z.object({ ArnLike: z.object({ "kms:EncryptionContext:aws:logs:arn": z.array(z.string()) }) }),
});
const { "inference-dev": stack = "" } = synthesizedStacks();
const resources = resourcesOf(stack);

describe("the page on security", () => {
  const places = rowsOf(sectionOf("Where data lies, and for how long"));
  const rowOf = (place: string) => {
    const found = places.find(([, where = ""]) => where.includes(place));
    if (found === undefined) throw new Error(`no row is about ${place}`);
    return found.join(" ");
  };

  test.each([...Object.values(folders), ...Object.values(jobFolders), sampleKey])("says what lies in %s", (folder) => {
    expect(rowOf(`\`${folder}\``)).toContain("answers bucket");
  });

  test("says of each folder that lapses after how many days it does, and of old versions", () => {
    const lifecycle = z.array(
      z.object({
        filter: z.array(z.object({ prefix: z.string() })),
        expiration: z.array(z.object({ days: z.number().optional() })),
        noncurrent_version_expiration: z.array(z.object({ noncurrent_days: z.number() })).default([]),
      }),
    );
    const rules = lifecycle.parse(onlyResource(stack, "aws_s3_bucket_lifecycle_configuration").attributes.rule);
    const said = rules.map(({ filter: [filter], expiration: [expiration], noncurrent_version_expiration: [old] }) => {
      const row = rowOf(filter?.prefix ? `\`${filter.prefix}\`` : "old versions");
      return [row, `${old?.noncurrent_days ?? expiration?.days} days`] as const;
    });
    expect(said).toHaveLength(6);
    for (const [row, days] of said) expect(row).toContain(days);
  });

  test("says how long queues and logs keep what they have", () => {
    const { inference, jobs, logRetentionDays } = dev;
    expect(rowOf("the queue")).toContain(
      `\`inference.messageRetentionSeconds\` (${inference.messageRetentionSeconds},`,
    );
    expect(rowOf("dead-letter")).toContain(
      `\`inference.deadLetterRetentionSeconds\` (${inference.deadLetterRetentionSeconds},`,
    );
    expect(rowOf("CloudWatch Logs")).toContain(`\`logRetentionDays\` (${logRetentionDays} days)`);
    expect(rowOf(jobFolders.results)).toContain(`\`jobs.keepDays\` (${jobs.keepDays} days)`);
  });

  test("names each table that has rows", () => {
    for (const table of [tables.results, tables.failures, tables.jobs]) rowOf(`\`${table}\``);
  });

  test("names each setting of a role, of which each role of a stack has one", () => {
    const settings = Object.entries(dev).flatMap(([section, values]) =>
      typeof values === "object" && values !== null
        ? Object.entries(values).flatMap(([name, value]) =>
            /rolename$/i.test(name) ? [{ setting: `${section}.${name}`, role: String(value) }] : [],
          )
        : [],
    );
    const roles = resources.filter(({ type }) => type === "aws_iam_role").map(({ attributes }) => attributes.name);
    expect(settings.map(({ role }) => role).sort()).toEqual(roles.sort());
    const said = sectionOf("Who reads and writes");
    expect(settings.filter(({ setting }) => !said.includes(`\`${setting}\``))).toEqual([]);
  });

  test("names each database user", () => {
    const made = schemaStatements({
      contract: dev.model.contract,
      takeOver: false,
      loaderRoleName: "loading.roleName",
      writerRoleName: "jobs.writerRoleName",
      reader: readerUser,
      readerRoleNames: ["api.roleName"],
      copyRoleArn: "",
      unloadRoleArn: "",
    });
    const users = made.flatMap((sql) => /^CALL admit_user\('([^']+)'/.exec(sql)?.[1] ?? []);
    expect(users).toHaveLength(4);
    const said = rowsOf(sectionOf("Who reads and writes")).map(([, user = ""]) => user.replaceAll("`", ""));
    const written = said.map((user) => user.replace(/^IAMR: and (.*)$/, (_, role) => databaseUserOf(role)));
    expect(written).toEqual(expect.arrayContaining(users));
    expect(users).toContain(readerUser);
    expect(said).toContain(`${dev.warehouse.adminUsername} (warehouse.adminUsername)`);
  });

  test("is right that without a key of one's own a bucket's key is S3's, and a queue's SQS's", () => {
    expect(JSON.stringify(resources.map(({ attributes }) => attributes))).not.toMatch(/kms/i);
  });

  test("has a key's policy that lets CloudWatch Logs use it for the groups that there are", () => {
    const [, json = ""] = /```json\n(.*?)```/s.exec(sectionOf("Encryption")) ?? [];
    const [policy] = z.tuple([statementSchema]).parse([JSON.parse(json)]);
    expect(policy).toMatchObject({
      Principal: { Service: "logs.us-east-1.amazonaws.com" },
      Action: ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
    });
    const patterns = policy.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"];
    const groups = resources.filter(({ type }) => type === "aws_cloudwatch_log_group");
    const arns = groups.map(({ attributes }) => `arn:aws:logs:us-east-1:123456789012:log-group:${attributes.name}`);
    expect(arns.length).toBeGreaterThan(5);
    expect(arns.filter((arn) => !patterns.some((pattern) => arn.startsWith(pattern.replace(/\*$/, ""))))).toEqual([]);
  });
});

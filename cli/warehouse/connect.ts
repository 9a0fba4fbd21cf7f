import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Connection, Pipeline } from "../shared/connection";
import { messageOf } from "../shared/findings";
import { commandsFor } from "../shared/options";

/** The programs that a tunnel is made by, with what they come with. */
const programs = {
  ssh: "OpenSSH (https://www.openssh.com)",
  aws: "the AWS CLI, 2.12 or newer (https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)",
};

/** @throws with all that this machine lacks for a tunnel */
export function refuseWhatIsMissing(key: string | undefined): void {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const isThere = (program: string) =>
    folders.some((folder) => folder !== "" && problemWith(join(folder, program), constants.X_OK) === undefined);
  const missing = Object.entries(programs).flatMap(([program, from]) =>
    isThere(program) ? [] : [`There is no ${program} in PATH: it comes with ${from}.`],
  );
  const problem = key && problemWith(key, constants.R_OK);
  if (problem) missing.push(`The private key ${key} cannot be read: ${problem}`);
  if (missing.length > 0) throw new Error(missing.join("\n"));
}

function problemWith(file: string, mode: number): string | undefined {
  try {
    accessSync(file, mode);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Keeps a tunnel to the warehouse open until it is told to end, and says what to type meanwhile.
 * @param key the private key @default those that ssh tries by itself
 * @param port of this machine @default the warehouse's
 * @throws where there is no bastion, and when the tunnel cannot be opened or has ended by itself
 */
export async function openTunnel(
  { environment: { name }, pipeline: { bastion, warehouse } }: Connection,
  { key, port }: { readonly key?: string; readonly port?: number },
  signal: AbortSignal,
): Promise<never> {
  if (bastion === undefined) {
    throw new Error(
      `The pipeline "${name}" has no bastion, and nothing else leads to its warehouse. Give the environment a key pair and\n` +
        `\`access: { bastion: true }\` in config.ts, and deploy it: ${commandsFor({})(`deploy inference-${name}`)}`,
    );
  }
  const localPort = port ?? Number(bastion.leads_to.split(":")[1]);
  const ssh = spawn("ssh", sshArguments(bastion, localPort, key), { stdio: ["inherit", "pipe", "inherit"] });
  const end = () => ssh.kill("SIGTERM"); // then it ends the `aws` that it has started
  signal.addEventListener("abort", end);
  let wasOpen = false;
  ssh.stdout.once("data", () => {
    wasOpen = true;
    console.log(whatToType(name, warehouse, localPort));
  });
  await once(ssh, "close").finally(() => signal.removeEventListener("abort", end));
  signal.throwIfAborted();
  throw new Error(
    wasOpen
      ? "The tunnel has ended. AWS keeps one for an hour at most: the same command opens another."
      : "The tunnel could not be opened, and it says above why.",
  );
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connect-using-eice.html */
function sshArguments(bastion: NonNullable<Pipeline["bastion"]>, localPort: number, key: string | undefined): string[] {
  // All that is named here need not be looked up, for which IAM would have to allow lists of the whole account.
  const proxyCommand = [
    "aws ec2-instance-connect open-tunnel",
    `--private-ip-address ${bastion.private_ip}`,
    `--instance-connect-endpoint-id ${bastion.endpoint_id}`,
    `--instance-connect-endpoint-dns-name ${bastion.endpoint_dns_name}`,
  ].join(" ");
  const options = {
    ProxyCommand: proxyCommand,
    ExitOnForwardFailure: "yes", // where the port of this machine is taken
    ServerAliveInterval: "30",
    StrictHostKeyChecking: "accept-new", // the first key of an instance, to which IAM alone has led
    ControlMaster: "no", // else a connection may outlive this one
    ControlPath: "none",
    PermitLocalCommand: "yes",
    LocalCommand: "echo open", // it is run when the tunnel is
    ...(key !== undefined && { IdentitiesOnly: "yes" }),
  };
  return [
    "-N",
    ...["-L", `127.0.0.1:${localPort}:${bastion.leads_to}`],
    ...Object.entries(options).flatMap(([option, value]) => ["-o", `${option}=${value}`]),
    ...(key === undefined ? [] : ["-i", key]),
    `ec2-user@${bastion.instance_id}`,
  ];
}

/** How to sign in at the other end. There is no password in it: IAM lends the reader one for a quarter of an hour. */
function whatToType(name: string, warehouse: Pipeline["warehouse"], port: number) {
  if ("workgroupName" in warehouse) throw new Error("A warehouse on demand has no bastion.");
  const { clusterId, databaseName, databaseUser } = warehouse;
  const { AWS_REGION, AWS_PROFILE } = process.env;
  const as = [
    `--region ${AWS_REGION}`,
    ...(AWS_PROFILE ? [`--profile '${AWS_PROFILE.replaceAll("'", "'\\''")}'`] : []),
  ];
  const aws = (command: string, query: string) =>
    `aws redshift ${command} --cluster-identifier ${clusterId} ${as.join(" ")} --query ${query} --output text`;
  const lend = aws(`get-cluster-credentials --db-user ${databaseUser} --db-name ${databaseName}`, "DbPassword");
  return [
    `localhost:${port} is the warehouse of ${name}, until Ctrl-C, for an hour at most. In another terminal:`,
    "",
    `  PGPASSWORD="$(${lend})" \\`,
    `    psql "host=localhost port=${port} dbname=${databaseName} user=IAM:${databaseUser} sslmode=require"`,
    "",
    `IAM lends that user, who may only read, a password for 15 minutes. The admin's is in Secrets Manager, under the ARN that`,
    `this prints: ${aws("describe-clusters", "'Clusters[0].MasterPasswordSecretArn'")}`,
  ].join("\n");
}

import { Command } from "../shared/command";
import { numberAs } from "../shared/numbers-read";
import { type ConnectionOptions, withAwsOptions } from "../shared/options";
import { withConnection } from "../shared/with-connection";

interface ConnectOptions extends Omit<ConnectionOptions, "local"> {
  readonly key?: string;
  readonly port?: number;
}

const parsePort = numberAs(/^\d+$/, "A port is a number from 1 to 65535.", [1, 65_535]);

const connectCommand = () =>
  withAwsOptions(new Command("connect"))
    .description("Opens a tunnel to the warehouse through the environment's bastion, for psql and the like.")
    .option("--key <file>", "the private key of the environment's key pair (default: those that ssh tries by itself)")
    .option("--port <number>", "the port of this machine (default: the warehouse's)", parsePort)
    .explanation(
      "\nThe environment has a bastion where config.ts says `access: { bastion: true }`. Needs the AWS CLI, 2.12 or newer,\n" +
        "and ssh. Prints what to type then, and no password. The tunnel is there until Ctrl-C, an hour at most.\n\n" +
        "Exits with 130 after Ctrl-C, and with 1 where there is no tunnel, or none any more.",
    )
    .examples(
      "offline-inference warehouse connect --env dev --key ~/.ssh/team",
      "offline-inference warehouse connect --env prod --port 15439",
    )
    .action(async (options: ConnectOptions) => {
      const { openTunnel, refuseWhatIsMissing } = await import("./connect");
      refuseWhatIsMissing(options.key);
      await withConnection(options, (connection, signal) => openTunnel(connection, options, signal));
    });

export const warehouseCommand = () =>
  new Command("warehouse")
    .description("Leads to the Redshift cluster, which is in a network of its own.")
    .examples("offline-inference warehouse connect --env dev")
    .addCommand(connectCommand());

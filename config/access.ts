import { z } from "zod";
import { group, refuse, yesOrNo } from "./faults";
import type { Surroundings } from "./surroundings";

const noBastion =
  "false on demand: Redshift Serverless lends no user's name to who comes through it; `results` and AWS's query editor read";

/** How people reach what lies in the network. */
export const accessSection = ({ capacity }: Surroundings) =>
  group({
    /**
     * Whether there is a bastion, which the key pair opens: a private instance, reached through an EC2 Instance Connect
     * Endpoint, that leads to the warehouse alone (`offline-inference warehouse connect`). @default false
     */
    bastion: (capacity === "on-demand" ? z.literal(false, { error: refuse(noBastion) }) : yesOrNo()).prefault(false),
  });

import { group, yesOrNo } from "./faults";

/** How people reach what lies in the network. */
export const accessSection = () =>
  group({
    /**
     * Whether there is a bastion, which the key pair opens: a private instance, reached through an EC2 Instance Connect
     * Endpoint, that leads to the warehouse alone (`offline-inference warehouse connect`). @default false
     */
    bastion: yesOrNo().prefault(false),
  });

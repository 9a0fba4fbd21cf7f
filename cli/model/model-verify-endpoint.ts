import { wireFormatOf } from "../../contract/wire-format";
import { targetOf } from "../shared/connection";
import { interruptible } from "../shared/interruption";
import { checkArchive, goldenOf } from "./model-archive";
import { askEndpoint, proveCurrent, type VariantAgreement } from "./model-proof";
import { headersOf, readGolden } from "./model-verify";

export interface VerifyEndpointOptions {
  /** @default the configuration's default environment */
  readonly env?: string;
  /** An archive whose golden requests are asked. */
  readonly archive?: string;
  /** A file of golden requests, in the format of config.ts. @default those of the archive, or else of the current release */
  readonly golden?: string;
  /** How long all requests may take in all, in seconds. @default 300 */
  readonly deadlineSeconds?: number;
}

/**
 * Asks each variant of an endpoint golden requests. Where they are those of an environment's current release, that says so.
 * @throws when the endpoint cannot be asked, or there are no golden requests
 */
export const verifyEndpoint = (endpointName: string, options: VerifyEndpointOptions): Promise<VariantAgreement[]> =>
  interruptible(async (signal) => {
    const { env, archive, golden, deadlineSeconds } = options;
    const { shared, environment } = targetOf({ env }, {});
    const endpoint = { endpointName, region: shared.region, profile: shared.profile };
    const asking = { signal, deadlineSeconds };
    if (archive !== undefined) {
      const model = await checkArchive(archive);
      const pairs = golden === undefined ? await goldenOf(archive, model) : await readGolden(golden);
      return askEndpoint(endpoint, pairs, headersOf(model), asking);
    }
    const { model } = environment;
    if (golden !== undefined) {
      const { contentType, accept } = wireFormatOf(model.contract);
      return askEndpoint(endpoint, await readGolden(golden), { "content-type": contentType, accept }, asking);
    }
    if (model.endpoint !== undefined || model.endpointName !== endpointName) {
      throw new Error(
        `${endpointName} is not the endpoint that is made for ${environment.name}: name an archive, or --golden, for what it is to be asked.`,
      );
    }
    return proveCurrent(environment.name, endpoint, asking);
  });

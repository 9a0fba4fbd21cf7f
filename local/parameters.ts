import { z } from "zod";
import { serveSigned } from "./signature";
import { AwsError, json, parseBody, type StandIn } from "./stand-in";

const getParameter = z.object({ Name: z.string().min(1) });

/**
 * Starts SSM with these parameters, which can be read and not changed.
 * @param parameters their values, by name
 */
export function startParameters(parameters: Record<string, string>): Promise<StandIn> {
  return serveSigned((request) => {
    const operation = String(request.headers["x-amz-target"]).replace(/^AmazonSSM\./, "");
    if (operation !== "GetParameter") {
      throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    }
    const { Name } = parseBody(request, getParameter, "ValidationException");
    const Value = parameters[Name];
    if (Value === undefined) throw new AwsError("ParameterNotFound", 400, `there is no parameter ${Name}`);
    return json({ Parameter: { Name, Value, Type: "String", Version: 1 } });
  });
}

import {
  CreateCompilationJobCommand,
  CreateProcessingJobCommand,
  DescribeCompilationJobCommand,
  DescribeProcessingJobCommand,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import { imageFor } from "../../aws/model-images";
import { awsError, isNotFound, namingActions } from "../shared/aws-error";
import { tracedModel } from "./model-archive";
import { type RecipeName, recipes, usualShape } from "./model-recipes";

/** What a job compiles on: the least that Neuron's documentation advises; it needs no Inferentia. */
export const compiledOn = "ml.c5.4xlarge";

/** How a job does. */
interface Job {
  /** SageMaker's word for it. */
  readonly status: string;
  readonly ended?: boolean;
  readonly succeeded?: boolean;
  /** Why it has failed. */
  readonly reason?: string;
  /** Where its result lies in S3. */
  readonly url?: string;
  /** The image that serves the result, where no other does. */
  readonly image?: string;
}

/** A job of SageMaker's, which is tried anew under another name where it has failed. */
export interface CompilationJob {
  nameOf(attempt: number): string;
  /** Undefined where there is no such attempt. */
  look(attempt: number): Promise<Job | undefined>;
  start(attempt: number): Promise<void>;
}

export interface CompilationProps {
  readonly recipe: RecipeName;
  /** What every attempt's name begins with. */
  readonly name: string;
  /** The tensors that the traced model takes, in their order. */
  readonly inputs: readonly string[];
  /** Its folder in S3, with `input/traced.tar.gz` in it. */
  readonly url: string;
  /** What SageMaker acts as. */
  readonly roleArn: string;
}

/** The jobs of a recipe for a model. */
export function compilationJobs(
  { recipe, name, inputs, url, roleArn: RoleArn }: CompilationProps,
  { region, profile }: { readonly region: string; readonly profile?: string },
): CompilationJob {
  const client = namingActions(new SageMakerClient({ region, profile }));
  const nameOf = (attempt: number) => `${name}-${attempt}`;
  const outputOf = (attempt: number) => `${url}/output-${attempt}`;
  if (recipe === "neo") {
    return {
      nameOf,
      look: async (attempt) => {
        const call = client.send(new DescribeCompilationJobCommand({ CompilationJobName: nameOf(attempt) }));
        const job = await found(nameOf(attempt), call);
        const status = job?.CompilationJobStatus;
        return status === undefined
          ? undefined
          : {
              status,
              ended: ["COMPLETED", "FAILED", "STOPPED"].includes(status),
              succeeded: status === "COMPLETED",
              reason: job?.FailureReason,
              url: job?.ModelArtifacts?.S3ModelArtifacts,
              image: job?.InferenceImage,
            };
      },
      start: async (attempt) => {
        const shape = [usualShape.batch, usualShape.length];
        const call = new CreateCompilationJobCommand({
          CompilationJobName: nameOf(attempt),
          RoleArn,
          InputConfig: {
            S3Uri: `${url}/input/traced.tar.gz`,
            DataInputConfig: JSON.stringify(Object.fromEntries(inputs.map((input) => [input, shape]))),
            Framework: "PYTORCH",
            FrameworkVersion: recipes.neo.pytorch,
          },
          OutputConfig: {
            S3OutputLocation: `${outputOf(attempt)}/`,
            TargetDevice: "ml_inf1",
            // For this target a JSON string: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputConfig.html
            CompilerOptions: JSON.stringify("--dtype int64"),
          },
          StoppingCondition: { MaxRuntimeInSeconds: 900 },
        });
        await started(nameOf(attempt), client.send(call));
      },
    };
  }
  const { family } = recipes[recipe];
  const input = "/opt/ml/processing/input";
  return {
    nameOf,
    look: async (attempt) => {
      const call = client.send(new DescribeProcessingJobCommand({ ProcessingJobName: nameOf(attempt) }));
      const job = await found(nameOf(attempt), call);
      const status = job?.ProcessingJobStatus;
      return status === undefined
        ? undefined
        : {
            status,
            ended: ["Completed", "Failed", "Stopped"].includes(status),
            succeeded: status === "Completed",
            reason: [job?.FailureReason, job?.ExitMessage].filter(Boolean).join("; "),
            url: `${outputOf(attempt)}/${tracedModel}`,
          };
    },
    start: async (attempt) => {
      const call = new CreateProcessingJobCommand({
        ProcessingJobName: nameOf(attempt),
        RoleArn,
        AppSpecification: {
          ImageUri: imageFor(family, region),
          ContainerEntrypoint: ["python3", `${input}/compile_neuron.py`, family],
        },
        ProcessingInputs: [
          {
            InputName: "input",
            S3Input: { S3Uri: `${url}/input/`, LocalPath: input, S3DataType: "S3Prefix", S3InputMode: "File" },
          },
        ],
        ProcessingOutputConfig: {
          Outputs: [
            {
              OutputName: "compiled",
              S3Output: {
                S3Uri: outputOf(attempt),
                LocalPath: "/opt/ml/processing/output",
                S3UploadMode: "EndOfJob",
              },
            },
          ],
        },
        ProcessingResources: {
          ClusterConfig: { InstanceCount: 1, InstanceType: compiledOn, VolumeSizeInGB: 30 },
        },
        StoppingCondition: { MaxRuntimeInSeconds: 3600 },
        NetworkConfig: { EnableNetworkIsolation: true },
      });
      await started(nameOf(attempt), client.send(call));
    },
  };
}

async function started(name: string, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    throw awsError(`start the job ${name}`, error);
  }
}

async function found<Answer>(name: string, call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw awsError(`look for the job ${name}`, error);
  }
}

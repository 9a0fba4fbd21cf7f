import {
  CreateCompilationJobCommand,
  CreateProcessingJobCommand,
  DescribeCompilationJobCommand,
  DescribeProcessingJobCommand,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import type { InstanceFamily } from "../../aws/instance-types";
import { imageFor } from "../../aws/model-images";
import { failedTo, namingActions, noneWhereMissing } from "../shared/aws-error";
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

/** How jobs of one kind are looked at and started, each under its name and with the folder of its result. */
interface JobKind {
  look(name: string, output: string): Promise<Job | undefined>;
  start(name: string, output: string): Promise<unknown>;
}

/** The jobs of a recipe for a model. */
export function compilationJobs(
  props: CompilationProps,
  { region, profile }: { readonly region: string; readonly profile?: string },
): CompilationJob {
  const { recipe, name, url } = props;
  const client = namingActions(new SageMakerClient({ region, profile }));
  const kind =
    recipe === "neo" ? compilations(client, props) : processings(client, props, recipes[recipe].family, region);
  const nameOf = (attempt: number) => `${name}-${attempt}`;
  const outputOf = (attempt: number) => `${url}/output-${attempt}`;
  return {
    nameOf,
    look: (attempt) =>
      kind
        .look(nameOf(attempt), outputOf(attempt))
        .catch(noneWhereMissing)
        .catch(failedTo(`look for the job ${nameOf(attempt)}`)),
    start: async (attempt) => {
      await kind.start(nameOf(attempt), outputOf(attempt)).catch(failedTo(`start the job ${nameOf(attempt)}`));
    },
  };
}

/** Jobs of SageMaker Neo's. */
const compilations = (client: SageMakerClient, { inputs, url, roleArn }: CompilationProps): JobKind => ({
  look: async (CompilationJobName) => {
    const job = await client.send(new DescribeCompilationJobCommand({ CompilationJobName }));
    const status = job.CompilationJobStatus;
    if (status === undefined) return undefined;
    return {
      status,
      ended: ["COMPLETED", "FAILED", "STOPPED"].includes(status),
      succeeded: status === "COMPLETED",
      reason: job.FailureReason,
      url: job.ModelArtifacts?.S3ModelArtifacts,
      image: job.InferenceImage,
    };
  },
  start: (CompilationJobName, output) => {
    const shape = [usualShape.batch, usualShape.length];
    const call = new CreateCompilationJobCommand({
      CompilationJobName,
      RoleArn: roleArn,
      InputConfig: {
        S3Uri: `${url}/input/traced.tar.gz`,
        DataInputConfig: JSON.stringify(Object.fromEntries(inputs.map((input) => [input, shape]))),
        Framework: "PYTORCH",
        FrameworkVersion: recipes.neo.pytorch,
      },
      OutputConfig: {
        S3OutputLocation: `${output}/`,
        TargetDevice: "ml_inf1",
        // For this target a JSON string: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_OutputConfig.html
        CompilerOptions: JSON.stringify("--dtype int64"),
      },
      StoppingCondition: { MaxRuntimeInSeconds: 900 },
    });
    return client.send(call);
  },
});

const inputFolder = "/opt/ml/processing/input";

/** Processing jobs, in which AWS's image for Neuron compiles. */
const processings = (
  client: SageMakerClient,
  { url, roleArn }: CompilationProps,
  family: InstanceFamily,
  region: string,
): JobKind => ({
  look: async (ProcessingJobName, output) => {
    const job = await client.send(new DescribeProcessingJobCommand({ ProcessingJobName }));
    const status = job.ProcessingJobStatus;
    if (status === undefined) return undefined;
    return {
      status,
      ended: ["Completed", "Failed", "Stopped"].includes(status),
      succeeded: status === "Completed",
      reason: [job.FailureReason, job.ExitMessage].filter(Boolean).join("; "),
      url: `${output}/${tracedModel}`,
    };
  },
  start: (ProcessingJobName, output) => {
    const from = { S3Uri: `${url}/input/`, LocalPath: inputFolder };
    const to = { S3Uri: output, LocalPath: "/opt/ml/processing/output" };
    const call = new CreateProcessingJobCommand({
      ProcessingJobName,
      RoleArn: roleArn,
      AppSpecification: {
        ImageUri: imageFor(family, region),
        ContainerEntrypoint: ["python3", `${inputFolder}/compile_neuron.py`, family],
      },
      ProcessingInputs: [{ InputName: "input", S3Input: { ...from, S3DataType: "S3Prefix", S3InputMode: "File" } }],
      ProcessingOutputConfig: {
        Outputs: [{ OutputName: "compiled", S3Output: { ...to, S3UploadMode: "EndOfJob" } }],
      },
      ProcessingResources: {
        ClusterConfig: { InstanceCount: 1, InstanceType: compiledOn, VolumeSizeInGB: 30 },
      },
      StoppingCondition: { MaxRuntimeInSeconds: 3600 },
      NetworkConfig: { EnableNetworkIsolation: true },
    });
    return client.send(call);
  },
});

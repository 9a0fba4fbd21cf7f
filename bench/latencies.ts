/** How long AWS takes, in milliseconds, as the benchmark has it. Each time is varied by up to a fifth either way. */
export interface Latencies {
  /** InvokeEndpoint: an input on a NeuronCore, as a pair of sentences takes it. A call has a core to itself, or waits for one. */
  readonly inputOnCore: number;
  readonly BatchGetRecord: number;
  readonly GetRecord: number;
  /** Any call of the Data API, before what its statement takes. */
  readonly dataApiCall: number;
  /** A statement in the warehouse. A write holds its lock for as long. */
  readonly statement: number;
  /** Only the original makes this call. */
  readonly PutMetricData: number;
}

/** About what each takes within a region. */
export const awsLatencies: Latencies = {
  inputOnCore: 40,
  BatchGetRecord: 10,
  GetRecord: 5,
  dataApiCall: 30,
  statement: 150,
  PutMetricData: 10,
};

/** NeuronCores of an ml.inf1.xlarge. */
export const cores = 4;

/** A time as it comes out once. */
export const jittered = (milliseconds: number) => milliseconds * (0.8 + 0.4 * Math.random());

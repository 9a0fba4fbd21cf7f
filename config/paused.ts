import { z } from "zod";
import { fault, group, refuse } from "./faults";
import { hoursInWords, isWithinHours, type WarehouseHours } from "./hours";
import { readJsonFile, reviewedFile } from "./json-file";

/** The file that says which environments are paused, beside config.ts and reviewed like it. */
export const pausedFile = "paused.json";

const time = z.iso.datetime({ error: refuse("a time as ISO 8601 has it, in UTC") });

const pauseSchema = group({
  since: time,
  /** When it is to be resumed, by whoever resumes it. @default nobody has said */
  until: time.optional(),
  /** The first deadline of a job that had not ended when it was paused. @default there was none */
  firstDeadline: group({ job: z.string({ error: refuse("the name of a job") }), at: time }).optional(),
}).superRefine(
  ({ since, until }, context) => {
    if (until === undefined || Date.parse(until) > Date.parse(since)) return;
    context.addIssue(fault(["until"], `got "${until}"; allowed: a time after since`));
  },
  { when: ({ issues }) => issues.length === 0 },
);

/** That an environment is paused: it has no endpoint, its cluster is paused, and its requests wait. */
export type Pause = Readonly<z.infer<typeof pauseSchema>>;

const pausesSchema = z.record(z.string(), pauseSchema, {
  error: refuse("an object of pauses by the names of environments"),
});

/** What the file says, unchecked: nothing where there is no file. @throws ConfigError when it is no JSON */
export const writtenPauses = () => readJsonFile(pausedFile);

/** The pause of every environment that is paused. */
export const { check: checkPauses, change: changePauses } = reviewedFile(pausedFile, pausesSchema);

/** Takes out of the file that an environment is paused. */
export const forgetPause = (environment: string) => changePauses(({ [environment]: _, ...others }) => others);

/** That an environment is away for now, as far as the configuration knows, in words; undefined where it is not. */
export function awayInWords(
  {
    name,
    pause,
    warehouse: { hours },
  }: { readonly name: string; readonly pause?: Pause; readonly warehouse: { readonly hours?: WarehouseHours } },
  now: Date,
): string | undefined {
  if (pause)
    return `${pauseInWords(name, pause)}: requests and jobs are taken and wait, and no prediction can be read.`;
  if (hours === undefined || isWithinHours(hours, now)) return undefined;
  return `The warehouse of ${name} is paused but from ${hoursInWords(hours)}: no prediction can be read until then.`;
}

/** That an environment is paused, in words for people: `dev is paused since …, until …`. */
export const pauseInWords = (environment: string, { since, until }: Pause) =>
  `${environment} is paused since ${since}${until === undefined ? "" : `, until ${until}`}`;

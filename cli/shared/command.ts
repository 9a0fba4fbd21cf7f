import { Command as Plain } from "commander";

/** A command whose help ends with what else there is to say of it. */
export class Command extends Plain {
  /** More than its description: what it needs, keeps and exits with. */
  explanation(text: string): this {
    return this.addHelpText("after", text);
  }

  /** How it is called: `.examples("offline-inference diff state")`. */
  examples(...lines: string[]): this {
    return this.explanation(["\nExamples:", ...lines.map((line) => `  ${line}`)].join("\n"));
  }
}

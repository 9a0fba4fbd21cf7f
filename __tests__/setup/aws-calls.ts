import { resolve } from "node:path";
import ts from "typescript";
import { callNamed } from "../../aws/call-actions";

/**
 * Finds in source code what a piece of it may call of AWS: it goes from each function to those that it names, by what the
 * compiler knows of the names. What is passed as an interface may be any object of the code gone through that fits it.
 */
export class CallGraph {
  private readonly program: ts.Program;
  private readonly checker: ts.TypeChecker;

  /** @param entries files from which all others are imported */
  constructor(entries: readonly string[]) {
    const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ".");
    this.program = ts.createProgram(
      entries.map((entry) => resolve(entry)),
      options,
    );
    this.checker = this.program.getTypeChecker();
  }

  /** All calls that the files of some folders name, whoever uses them. */
  namedIn(folders: readonly string[]): Set<string> {
    const found = new Set<string>();
    const look = (node: ts.Node): void => {
      for (const call of this.callsOf(node)) found.add(call);
      ts.forEachChild(node, look);
    };
    const roots = folders.map((folder) => `${resolve(folder)}/`);
    for (const file of this.program.getSourceFiles()) {
      if (roots.some((root) => file.fileName.startsWith(root))) look(file);
    }
    return found;
  }

  /**
   * The calls that a file makes, or what is declared by a name at its top.
   * @param without names there that are not gone into
   */
  reachedFrom(file: string, name?: string, without: readonly string[] = []): Set<string> {
    const source = this.program.getSourceFile(resolve(file));
    if (source === undefined) throw new Error(`no entry imports ${file}`);
    const module = this.checker.getSymbolAtLocation(source);
    const inScope = [
      ...this.checker.getSymbolsInScope(source, ts.SymbolFlags.Value),
      ...(module ? this.checker.getExportsOfModule(module) : []),
    ];
    const declared = (wanted: string) => {
      const nodes = inScope.flatMap((symbol) => (symbol.name === wanted ? (symbol.valueDeclaration ?? []) : []));
      const found = nodes.find((node) => node.getSourceFile() === source);
      if (found === undefined) throw new Error(`${file} declares no ${wanted}`);
      return found;
    };
    const reach = new Reach(this.checker, (node) => this.callsOf(node), without.map(declared));
    return reach.from(name === undefined ? source : declared(name));
  }

  /**
   * The calls that a node itself makes: `new SendMessageBatchCommand`, `paginateListObjectsV2`, `new Upload`, and those
   * of an API of ours, which are signed by `new SignatureV4`.
   */
  private callsOf(node: ts.Node): readonly string[] {
    const named = ts.isNewExpression(node) || ts.isCallExpression(node) ? node.expression : node;
    if (!ts.isIdentifier(named) || ts.isPartOfTypeNode(named)) return [];
    if (ts.isNewExpression(node) && named.text === "SignatureV4") return ["execute-api:Invoke"];
    const [, operation] = /^(?:paginate|waitUntil)?([A-Z]\w*?)(?:Command)?$/.exec(named.text) ?? [];
    if (operation === undefined) return [];
    const isCommand = ts.isNewExpression(node) && named.text.endsWith("Command");
    const isPaginator = named.text.startsWith("paginate");
    const isUpload = ts.isNewExpression(node) && named.text === "Upload";
    if (!isCommand && !isPaginator && !isUpload) return [];
    const client = this.packageOf(named);
    if (client === undefined) return [];
    if (isUpload) return uploadCalls;
    return [callNamed(client, operation)];
  }

  /** `sqs` where a name comes from `@aws-sdk/client-sqs`, however it is imported. */
  private packageOf(name: ts.Identifier): string | undefined {
    const file = this.checker.getTypeAtLocation(name).symbol?.declarations?.[0]?.getSourceFile().fileName ?? "";
    return /@aws-sdk\/(?:client-)?([\w-]+)\//.exec(file)?.[1];
  }
}

/** What a managed upload sends: https://www.npmjs.com/package/@aws-sdk/lib-storage */
const uploadCalls = [
  "s3:PutObject",
  "s3:CreateMultipartUpload",
  "s3:UploadPart",
  "s3:CompleteMultipartUpload",
  "s3:AbortMultipartUpload",
];

const isOurs = (node: ts.Node) => !node.getSourceFile().fileName.includes("/node_modules/");

/** What a name stands for, through imports and exports. */
function resolved(checker: ts.TypeChecker, symbol: ts.Symbol | undefined): ts.Symbol | undefined {
  return symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** One walk through the code. */
class Reach {
  private readonly calls = new Set<string>();
  private readonly seen = new Set<ts.Node>();
  private readonly waiting: ts.Node[] = [];
  private readonly classes = new Set<ts.ClassLikeDeclaration>();
  /** Members that were reached, of classes and interfaces. */
  private readonly members = new Set<ts.Declaration>();

  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly callsOf: (node: ts.Node) => readonly string[],
    without: readonly ts.Node[],
  ) {
    for (const node of without) this.seen.add(node);
  }

  from(start: ts.Node): Set<string> {
    this.add(start);
    for (let node = this.waiting.pop(); node !== undefined; node = this.waiting.pop()) {
      if (ts.isClassLike(node)) this.make(node);
      else this.look(node);
    }
    return this.calls;
  }

  private add(node: ts.Node): void {
    if (this.seen.has(node) || !isOurs(node)) return;
    this.seen.add(node);
    this.waiting.push(node);
    if (ts.isBindingElement(node)) this.add(ts.walkUpBindingElementsAndPatterns(node));
    if (ts.isClassLike(node)) {
      this.classes.add(node);
      for (const member of this.members) this.addSame(node, member);
    } else if (ts.isClassElement(node) || ts.isTypeElement(node)) {
      this.members.add(node);
      for (const one of this.classes) this.addSame(one, node);
    }
  }

  /** Adds the member of a class that is called where another type's of that name is. */
  private addSame(one: ts.ClassLikeDeclaration, member: ts.Declaration): void {
    const name = ts.getNameOfDeclaration(member)?.getText();
    const same = one.members.find((other) => other.name !== undefined && other.name.getText() === name);
    if (same === undefined || same === member || this.seen.has(same)) return;
    const owner = this.checker.getTypeAtLocation(member.parent);
    if (this.checker.isTypeAssignableTo(this.checker.getTypeAtLocation(one), owner)) this.add(same);
  }

  /** A class is made when it is named; its methods run when they are named. */
  private make(node: ts.ClassLikeDeclaration): void {
    for (const clause of node.heritageClauses ?? []) this.look(clause);
    for (const member of node.members) {
      const isRun =
        ts.isConstructorDeclaration(member) ||
        ts.isClassStaticBlockDeclaration(member) ||
        (ts.isPropertyDeclaration(member) && !isFunction(member.initializer));
      if (isRun) this.add(member);
    }
  }

  private look(node: ts.Node): void {
    if (ts.isPartOfTypeNode(node) || ts.isImportDeclaration(node)) return;
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    for (const call of this.callsOf(node)) this.calls.add(call);
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) this.follow(node);
    if (ts.isBindingElement(node)) this.followProperty(node);
    if (ts.isClassLike(node)) this.add(node);
    else ts.forEachChild(node, (child) => this.look(child));
  }

  private follow(name: ts.Identifier | ts.PrivateIdentifier): void {
    const found = this.checker.getSymbolAtLocation(name);
    const shorthand = ts.isShorthandPropertyAssignment(name.parent)
      ? this.checker.getShorthandAssignmentValueSymbol(name.parent)
      : undefined;
    for (const symbol of [found, shorthand]) this.addSymbol(symbol);
  }

  private addSymbol(symbol: ts.Symbol | undefined): void {
    for (const declaration of resolved(this.checker, symbol)?.declarations ?? []) {
      if (ts.isParameter(declaration) || ts.isTypeParameterDeclaration(declaration)) continue;
      if (ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)) continue;
      this.add(declaration);
    }
  }

  /** `const { send } = queue`, `const { send } = await import("./queue")` */
  private followProperty(element: ts.BindingElement): void {
    const name = element.propertyName ?? element.name;
    if (!ts.isIdentifier(name)) return;
    const whole = this.checker.getTypeAtLocation(element.parent);
    this.addSymbol(this.checker.getPropertyOfType(whole, name.text));
  }
}

const isFunction = (node: ts.Node | undefined): boolean =>
  node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));

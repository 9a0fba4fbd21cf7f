import "cdktf/lib/testing/adapters/jest";
import { Testing } from "cdktf";
import {
  getToHaveDataSourceWithProperties,
  getToHaveProviderWithProperties,
  getToHaveResourceWithProperties,
  returnMatcherToJest,
  type TerraformConstructor,
} from "cdktf/lib/testing/matchers";

Testing.setupJest();

const metaArguments = ["lifecycle", "depends_on", "provider", "count", "for_each", "connection", "provisioner"];
const letters = (name: string) => name.replaceAll("_", "").toLowerCase();

/**
 * The names among `properties` that no synthesized block has: they are Terraform's, `visibility_timeout_seconds`. Any
 * other never matches, and a negated matcher with it would hold whatever the stack says.
 */
function unknownNames(
  { tfResourceType, prototype }: TerraformConstructor & { prototype?: object },
  properties: object,
) {
  const attributes = new Set([...Object.getOwnPropertyNames(prototype ?? {}), ...metaArguments].map(letters));
  const unknown = Object.keys(properties).filter(
    (name) => name !== name.toLowerCase() || !attributes.has(letters(name)),
  );
  const nested = JSON.stringify(Object.values(properties)).matchAll(/"([a-z]+[A-Z]\w*)":/g);
  return [...unknown, ...[...nested].map(([, name]) => name)].map((name) => `${tfResourceType} has no "${name}"`);
}

type Matcher = (received: string, type: TerraformConstructor, properties?: object) => ReturnType<typeof compare>;
const compare = (matcher: ReturnType<typeof getToHaveResourceWithProperties>, ...given: Parameters<typeof matcher>) =>
  returnMatcherToJest(matcher(...given));

/** CDKTF's matcher, which refuses names that Terraform does not know. */
const guarded =
  (get: typeof getToHaveResourceWithProperties): Matcher =>
  (received, type, properties = {}) => {
    const unknown = unknownNames(type, properties);
    if (unknown.length > 0) throw new Error(`${unknown.join(", ")}. Attributes have Terraform's names here.`);
    const matches = (items: object[]) =>
      expect.arrayContaining([expect.objectContaining(properties)]).asymmetricMatch(items);
    return compare(get(matches), received, type, properties);
  };

expect.extend({
  toHaveResourceWithProperties: guarded(getToHaveResourceWithProperties),
  toHaveDataSourceWithProperties: guarded(getToHaveDataSourceWithProperties),
  toHaveProviderWithProperties: guarded(getToHaveProviderWithProperties),
});

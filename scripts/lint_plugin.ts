/** House rules that `deno lint` checks beside its own; CONTRIBUTING.md says why they exist. */

const ROOT = new URL("..", import.meta.url).pathname;

/** A file's path from the repository, or undefined for tests, which these rules leave alone. */
function sourcePath(filename: string): string | undefined {
  const path = filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename;
  return path.startsWith("src/") && !path.endsWith("_test.ts") ? path : undefined;
}

/** A rule against `Deno.<property>` in every source file that `isAllowed` does not name. */
function forbidDenoProperty(
  property: string,
  isAllowed: (path: string) => boolean,
  message: string,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = sourcePath(context.filename);
      if (path === undefined || isAllowed(path)) return {};
      return {
        [`MemberExpression[object.name="Deno"][property.name="${property}"]`](
          node: Deno.lint.Node,
        ) {
          context.report({ node, message });
        },
      };
    },
  };
}

const PURE_FOLDERS = ["src/api/", "src/netlink/", "src/plan/", "src/probe/"];

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "ffi-in-sys": forbidDenoProperty(
      "dlopen",
      (path) => path.startsWith("src/sys/"),
      "Deno.dlopen belongs in src/sys alone",
    ),
    "no-subprocess": forbidDenoProperty(
      "Command",
      (path) => path.startsWith("src/cni/ipam") || path === "src/cluster/program_start.ts",
      "The kernel is reached by system calls; only IPAM delegation starts another program",
    ),
    "pure-folders": {
      create(context) {
        const path = sourcePath(context.filename);
        if (path === undefined || !PURE_FOLDERS.some((folder) => path.startsWith(folder))) {
          return {};
        }
        return {
          'MemberExpression[object.name="Deno"]'(node) {
            context.report({
              node,
              message: "This folder is pure: take what is needed as a parameter",
            });
          },
        };
      },
    },
    "import-does-nothing": {
      create(context) {
        if (sourcePath(context.filename) === undefined) return {};
        return {
          "Program > ExpressionStatement"(node) {
            context.report({ node, message: "Importing a module must have no effect" });
          },
          [`:is(Program, ExportNamedDeclaration) > VariableDeclaration > * > AwaitExpression`](
            node: Deno.lint.Node,
          ) {
            context.report({ node, message: "Importing a module must not wait for anything" });
          },
        };
      },
    },
  },
};

export default plugin;

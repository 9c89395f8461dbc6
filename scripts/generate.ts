// Generates the code that is not committed, into src/gen (ignored by git):
//
//   src/gen/proto   protobuf-es modules for Envoy's xDS API and for our own proto/
//   src/gen/crds    TypeScript types of the custom resources, from charts/trellis/crds
//
// Runs from npm's `prepare`, that is after `npm ci`. The third-party .proto files come from node_modules
// (@grpc/grpc-js-xds ships them for its own build); none are committed here.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compile } from 'json-schema-to-typescript';
import { parse } from 'yaml';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const shipped = join(root, 'node_modules/@grpc/grpc-js-xds/deps');

/** The import roots inside @grpc/grpc-js-xds that together make one consistent proto tree. */
const protoFolders = [
  'envoy-api/envoy',
  'xds/xds',
  'xds/udpa',
  'googleapis/google',
  'protoc-gen-validate/validate',
];

/** Only what the sources use; buf adds what these import. */
const envoyInputs = [
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/rbac/v3/rbac.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/discovery/v3/discovery.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'envoy/extensions/filters/network/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto',
  'envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/type/matcher/v3/http_inputs.proto',
];

/**
 * The shipped validate.proto is older than the envoy protos beside it, which set `ignore_empty`: add the field
 * with the numbers of protoc-gen-validate 0.6 (shared by all rules of a kind).
 */
function addIgnoreEmpty(validateProto: string): string {
  const number: Record<string, number> = { StringRules: 26, BytesRules: 14, RepeatedRules: 5, MapRules: 6 };
  const numeric =
    /^(Float|Double|Int32|Int64|UInt32|UInt64|SInt32|SInt64|Fixed32|Fixed64|SFixed32|SFixed64)Rules$/;
  if (validateProto.includes('ignore_empty')) return validateProto;
  return validateProto.replace(/^message (\w+) *\{\r?\n/gm, (line: string, name: string) => {
    const field = number[name] ?? (numeric.test(name) ? 8 : undefined);
    return field === undefined ? line : `${line}    optional bool ignore_empty = ${field};\n`;
  });
}

/** Fields of messages that are newer than the shipped protos, as Envoy 1.40 knows them. */
function addRemoveOnMatch(mutationRules: string): string {
  if (mutationRules.includes('remove_on_match')) return mutationRules;
  return mutationRules
    .replace(
      'import "envoy/type/matcher/v3/regex.proto";',
      'import "envoy/type/matcher/v3/regex.proto";\nimport "envoy/type/matcher/v3/string.proto";',
    )
    .replace(
      'message HeaderMutation {',
      'message HeaderMutation {\n  message RemoveOnMatch { type.matcher.v3.StringMatcher key_matcher = 1; }\n',
    )
    .replace(
      /core\.v3\.HeaderValueOption append = 2;/,
      'core.v3.HeaderValueOption append = 2;\n    RemoveOnMatch remove_on_match = 3;',
    );
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

async function generateProto(output: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'trellis-proto-'));
  try {
    const tree = join(work, 'proto');
    for (const folder of protoFolders) {
      await cp(join(shipped, folder), join(tree, folder.slice(folder.indexOf('/') + 1)), { recursive: true });
    }
    await rewrite(join(tree, 'validate/validate.proto'), addIgnoreEmpty);
    await rewrite(join(tree, 'envoy/config/common/mutation_rules/v3/mutation_rules.proto'), addRemoveOnMatch);
    await cp(join(root, 'proto'), tree, { recursive: true });
    const template = {
      version: 'v2',
      plugins: [
        {
          local: [process.execPath, join(root, 'node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es')],
          out: output,
          opt: ['target=ts', 'import_extension=ts', 'erasable_syntax=true'],
          include_imports: true,
        },
      ],
      inputs: [{ directory: tree, paths: [...envoyInputs, 'trellis'].map((path) => join(tree, path)) }],
    };
    const templateFile = join(work, 'buf.gen.json');
    await writeFile(templateFile, JSON.stringify(template));
    await writeFile(join(work, 'buf.yaml'), 'version: v2\nmodules:\n- path: proto\n');
    await run(join(root, 'node_modules/.bin/buf'), ['generate', '--template', templateFile], { cwd: work });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface Crd {
  spec: {
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: { properties: { spec: object } } } }[];
  };
}

async function generateCrdTypes(output: string): Promise<void> {
  const folder = join(root, 'charts/trellis/crds');
  await mkdir(output, { recursive: true });
  for (const file of await readdir(folder)) {
    const crd = parse(await readFile(join(folder, file), 'utf8')) as Crd;
    const version = crd.spec.versions[0];
    if (version === undefined) throw new Error(`${file}: no version`);
    const schema = version.schema.openAPIV3Schema.properties.spec;
    const text = await compile(schema, `${crd.spec.names.kind}Spec`, {
      bannerComment: `// Generated from charts/trellis/crds/${file} by scripts/generate.ts. Do not edit.`,
      additionalProperties: false,
      // Limits on lengths are for validation; as tuple types they would only be in the way.
      ignoreMinAndMaxItems: true,
    });
    await writeFile(join(output, `${crd.spec.names.kind}.ts`), text);
  }
}

const target = join(root, 'src/gen');
const staging = await mkdtemp(join(root, 'src/.gen-'));
try {
  await Promise.all([generateProto(join(staging, 'proto')), generateCrdTypes(join(staging, 'crds'))]);
  await rm(target, { recursive: true, force: true });
  await rename(staging, target);
} finally {
  await rm(staging, { recursive: true, force: true });
}

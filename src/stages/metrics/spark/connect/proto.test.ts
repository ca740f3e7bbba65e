import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { file_error_info } from './generated/error-info_pb.ts';
import { file_spark_connect } from './generated/spark-connect_pb.ts';
import { descriptorContract } from './testing/descriptor-contract.ts';
import { protoContract } from './testing/proto-text.ts';

describe('generated code', () => {
  for (const [name, file] of [
    ['spark-connect', file_spark_connect],
    ['error-info', file_error_info],
  ] as const) {
    test(`says what ${name}.proto says (else: npm run proto)`, () => {
      const source = readFileSync(new URL(`proto/${name}.proto`, import.meta.url), 'utf8');
      const contract = protoContract([source]);
      assert.ok(contract.size > 0);
      assert.deepEqual(descriptorContract(file), contract);
    });
  }
});

describe('the reader of .proto files', () => {
  test('reads labels, maps, oneofs, enums, calls and names of other scopes', () => {
    const source = `
      syntax = "proto3"; package a.b; import "x.proto"; option java_package = "a;b";
      message Outer {
        reserved 7, 8;
        /* not = 9; */ optional string text = 1; // nor = 10;
        repeated Inner inners = 2 [deprecated = true];
        map<string, Outer.Inner> named = 3;
        oneof choice { int64 number = 4; Kind kind = 5; }
        message Inner { Outer outer = 1; google.protobuf.Any other = 2; }
        enum Kind { NONE = 0; SOME = -1; }
      }
      service S { rpc Ask(Outer) returns (stream Outer.Inner) {} rpc Tell(Outer) returns (Outer); }`;
    assert.deepEqual(
      [...protoContract([source])].flatMap(([scope, lines]) => [scope, ...lines]),
      [
        'a.b.Outer',
        'text = 1: optional string',
        'inners = 2: repeated a.b.Outer.Inner',
        'named = 3: map<string, a.b.Outer.Inner>',
        'number = 4: int64 in choice',
        'kind = 5: a.b.Outer.Kind in choice',
        'a.b.Outer.Inner',
        'outer = 1: a.b.Outer',
        'other = 2: google.protobuf.Any',
        'a.b.Outer.Kind',
        'NONE = 0',
        'SOME = -1',
        'a.b.S',
        'Ask(Outer) returns (stream Outer.Inner)',
        'Tell(Outer) returns (Outer)',
      ],
    );
  });

  test('refuses what it does not know', () => {
    assert.throws(() => protoContract(['package a; message M { group G = 1 { } }']), Error);
    assert.throws(() => protoContract(['package a; message M {']), /too early/);
  });
});

Feature: Seal verification against an attacker

  The attacker can edit every handle and every byte of device memory, and does not hold the worker's token.

  @10§2.2 @CI-001
  Scenario: a forged signature is refused
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 KiB named "llama-7b"
    When each bit of the signature of "llama-7b" is flipped in turn and verified
    Then each of 256 attempts is refused as "seal forged"
    When the signature of "llama-7b" is replaced by one of a worker with another token
    Then "llama-7b" is refused as "seal forged"
    And the audit trail ends with:
      | event               | about    | critical |
      | verification_failed | llama-7b | yes      |

  @10§2.2
  Scenario: a zeroed signature is refused
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 KiB named "llama-7b"
    When the signature of "llama-7b" is replaced by zeros
    Then "llama-7b" is refused as "seal forged"
    And the audit trail ends with:
      | event               | about    | critical |
      | verification_failed | llama-7b | yes      |

  @10§2.2
  Scenario: a handle without its signature is refused as not sealed
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 KiB named "llama-7b"
    When the signature of "llama-7b" is removed
    Then "llama-7b" is refused as "not sealed"
    And the audit trail ends with:
      | event               | about    | critical |
      | verification_failed | llama-7b | yes      |
    When I lend "llama-7b" for execution
    Then it is refused as "not sealed"

  @00§2.2 @10§2.1
  Scenario: corrupted device memory is refused and the changed block is named
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When bit 0 of "llama-7b" flips in device memory
    And I verify "llama-7b"
    Then it is refused as "contents changed"
    And the error names block 0
    When bit 0 of "llama-7b" flips in device memory
    Then "llama-7b" verifies
    When bit 8388607 of "llama-7b" flips in device memory
    And I verify "llama-7b"
    Then it is refused as "contents changed"
    And the error names block 255
    When bit 8388607 of "llama-7b" flips in device memory
    Then "llama-7b" verifies

  @10§2.1 @CI-002
  Scenario: a handle with any one of its fields edited is refused
    Given a worker with 2 devices of 64 MiB
    And a sealed model of 1 KiB named "llama-7b"
    When each of these fields of "llama-7b" is edited in turn and verified:
      | field                 |
      | vram_bytes            |
      | gpu_device            |
      | digest                |
      | tree_digest           |
      | device_uuid           |
      | tensor_parallel.index |
      | tensor_parallel.count |
      | sealed_at             |
      | shard_id              |
    Then each of 9 attempts is refused as "seal forged"
    And "llama-7b" verifies

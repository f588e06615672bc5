Feature: Verify a seal

  A worker verifies a shard before every execution: the handle, its signature and the bytes in device memory, each time anew.

  @00§2.2 @10§1.1 @10§1.2
  Scenario: an untouched shard verifies every time
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    Then "llama-7b" verifies
    And "llama-7b" verifies
    And a copy of "llama-7b" that went through JSON verifies
    And the audit trail is:
      | event    | about     | critical |
      | started  | simulated | no       |
      | sealed   | llama-7b  | no       |
      | verified | llama-7b  | no       |
      | verified | llama-7b  | no       |
      | verified | llama-7b  | no       |

  @10§2.1 @CI-002
  Scenario: a handle with a tampered digest is refused
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When I edit the "digest" of "llama-7b"
    Then "llama-7b" is refused as "seal forged"
    And the audit trail ends with:
      | event               | about    | critical |
      | verification_failed | llama-7b | yes      |
    When I take back every edit of "llama-7b"
    Then "llama-7b" verifies

  @CI-007
  Scenario: weights are lent only when they have just been verified
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When I lend "llama-7b" for execution
    Then it succeeds
    And the execution of "llama-7b" is given 1 MiB of weights
    And the audit trail ends with:
      | event    | about    | critical |
      | verified | llama-7b | no       |
      | lent     | llama-7b | no       |
    When I return "llama-7b" from execution
    And bit 77 of "llama-7b" flips in device memory
    And I lend "llama-7b" for execution
    Then it is refused as "contents changed"
    And "llama-7b" is not lent
    And the audit trail ends with:
      | event               | about    | critical |
      | returned            | llama-7b | no       |
      | verification_failed | llama-7b | yes      |

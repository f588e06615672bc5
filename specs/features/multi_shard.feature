Feature: Several shards

  A model may be cut into shards, and a worker may hold several models. What happens to one shard concerns no other.

  @00§3.3 @00§4.1
  Scenario: several shards lie side by side and each verifies
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "embeddings"
    And a sealed model of 3 MiB named "layers-a"
    And a sealed model of 5 MiB named "layers-b"
    Then device 0 has 9 MiB used and 55 MiB available
    And "embeddings" verifies
    And "layers-a" verifies
    And "layers-b" verifies
    When I release "layers-a"
    Then it succeeds
    And device 0 has 6 MiB used and 58 MiB available
    And "layers-a" is refused as "released"
    And "layers-b" verifies

  @00§2.2 @10§2.1
  Scenario: one tampered shard among several is refused and the others still verify
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "left"
    And a sealed model of 1 MiB named "middle"
    And a sealed model of 1 MiB named "right"
    When bit 8000000 of "middle" flips in device memory
    Then "left" verifies
    And "middle" is refused as "contents changed"
    And "right" verifies

  @00§4.1 @10§1.3
  Scenario: each device is counted by itself
    Given a worker with 2 devices of 8 MiB
    And a sealed model of 8 MiB named "whole" on device 1
    Then device 0 has 0 bytes used and 8 MiB available
    And device 1 has 8 MiB used and 0 bytes available
    When I seal a model of 2 MiB as "second" on device 0
    Then it succeeds
    And device 0 has 2 MiB used and 6 MiB available
    And "whole" verifies
    And "second" verifies

  @10§1.4
  Scenario: an id in use is refused until its shard is released
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When I seal a model of 2 MiB as "llama-7b"
    Then it is refused as "id in use"
    And device 0 has 1 MiB used and 63 MiB available
    And "llama-7b" verifies
    When I release "llama-7b"
    And I seal a model of 2 MiB as "llama-7b"
    Then it succeeds
    And device 0 has 2 MiB used and 62 MiB available

  @00§3.2 @10§2.4 @RP-005
  Scenario: memory is freed when the last handle is dropped and not before
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "kept"
    And a sealed model of 1 MiB named "shared"
    And "shared-clone" is a clone of "shared"
    When I drop the handle of "shared"
    Then device 0 has 2 MiB used and 62 MiB available
    And "shared-clone" verifies
    When I drop the handle of "shared-clone"
    Then device 0 has 1 MiB used and 63 MiB available
    And the audit trail ends with:
      | event       | about  | critical |
      | deallocated | shared | no       |
    And "kept" verifies

Feature: Security

  Input is hostile until it is parsed; secrets and device addresses stay inside; memory leaves no contents behind.

  @00§4.2 @IV-003
  Scenario: shard ids that are paths are refused
    Given a worker with 1 device of 64 MiB
    When I seal a model of 1 KiB under each of these ids:
      | id                  |
      | ../../etc/passwd    |
      | ..                  |
      | .                   |
      | models/llama        |
      | /llama              |
      | C:\\models\\llama   |
      | llama.gguf          |
      | llama%2f..          |
    Then each of 8 attempts is refused as "invalid input"
    And device 0 has 0 bytes used and 64 MiB available

  @IV-005
  Scenario: shard ids with a nul or another control character are refused
    Given a worker with 1 device of 64 MiB
    When I seal a model of 1 KiB under each of these ids:
      | id             |
      | <NUL>llama     |
      | lla<NUL>ma     |
      | llama<NUL>     |
      | llama<LF>7b    |
      | llama<ESC>[31m |
      | llama<DEL>     |
    Then each of 6 attempts is refused as "invalid input"
    And no message repeats a control character
    And device 0 has 0 bytes used and 64 MiB available

  @00§4.2 @IV-003
  Scenario: a shard id of 256 characters is accepted and one of 257 is refused
    Given a worker with 1 device of 64 MiB
    When I seal a model of 1 KiB under an id of 257 characters
    Then it is refused as "invalid input"
    And device 0 has 0 bytes used and 64 MiB available
    When I seal a model of 1 KiB under an id of 256 characters
    Then it succeeds
    And device 0 has 1 KiB used and 65535 KiB available

  @CI-006
  Scenario: keys and tokens appear in nothing that the worker shows
    Given a worker with 1 device of 4 MiB
    And a sealed model of 1 MiB named "llama-7b"
    And "llama-7b" has been verified, lent and returned
    And the worker's devices are attested
    When I seal a model of 5 MiB as "too-large"
    And I edit the "digest" of "llama-7b"
    And I verify "llama-7b"
    And I release "llama-7b"
    Then the token and the audit key appear in none of these:
      | text                    |
      | logs                    |
      | audit trail             |
      | errors                  |
      | handle as text          |
      | handle as JSON          |
      | worker as text          |
      | configuration as text   |
      | token and keys as text  |
      | attestation as JSON     |

  @10§2.3 @MS-001
  Scenario: device addresses appear in nothing that the worker shows
    Given a worker with 1 device of 4 MiB
    And a sealed model of 1 MiB named "llama-7b"
    And "llama-7b" has been verified, lent and returned
    And the worker's devices are attested
    When bit 12345 of "llama-7b" flips in device memory
    And I verify "llama-7b"
    And the driver of device 0 will fail its next "overwrite" with code 1
    And I release "llama-7b"
    Then the address of "llama-7b" appears in none of these:
      | text                  |
      | logs                  |
      | audit trail           |
      | errors                |
      | handle as text        |
      | handle as JSON        |
      | worker as text        |
      | guard as text         |
      | attestation as JSON   |

  @00§3.2 @RP-005
  Scenario: memory is overwritten before it is given back
    Given a worker with 1 device of 64 MiB
    And device 0 keeps what freed memory held
    And a sealed model of 1 MiB named "released"
    And a sealed model of 2 MiB named "dropped"
    When I release "released"
    And I drop the handle of "dropped"
    Then freed memory of device 0 held:
      | bytes   | contents |
      | 1048576 | zeros    |
      | 2097152 | zeros    |
    And device 0 has 0 bytes used and 64 MiB available

Feature: VRAM-only policy

  The driver's facts are judged when a model is sealed and again whenever it is verified. A simulated device can break
  every rule, and can never pass for a GPU.

  @40§1.5 @VP-006
  Scenario: an enforced policy is attested and a simulated device is called simulated
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When I have the policy enforced
    Then it succeeds
    And the decision for device 0 is "simulated" with no rule broken
    And the worker does not claim to be VRAM-only
    When I have the residency attested
    Then it succeeds
    And the attestation verifies
    And a worker with another token refuses the attestation as "attestation forged"
    And the attestation calls its devices "simulated"
    And the attestation with any part altered does not verify

  @MS-004
  Scenario: a violated policy raises a critical event and stops the worker
    Given a worker with 1 device of 64 MiB
    And a sealed model of 1 MiB named "llama-7b"
    When the driver of device 0 reports managed memory
    And I have the policy enforced
    Then it is refused as "policy violated"
    And the error names the rule "VP-002"
    And the audit trail ends with:
      | event            | about  | critical |
      | policy_violation | VP-002 | yes      |
    And the worker is stopped
    When the driver of device 0 reports its own facts again
    Then "llama-7b" is refused as "stopped"
    When I seal a model of 1 MiB as "another"
    Then it is refused as "stopped"

"""Step 9. The world: Kafka, databases, the EHR. Adapters know the ports, never each other."""

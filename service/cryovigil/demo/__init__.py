"""The demonstration: a broker, the service, an EHR simulator and synthetic patients on one machine.

It only produces FHIR and shows what the EHR received; what it expects is written beside each
patient. Nothing here is part of the service, and nothing in it is a real patient.
"""

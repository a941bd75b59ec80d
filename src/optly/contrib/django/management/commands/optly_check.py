# mypy: allow-subclassing-any, disable-error-code="import-untyped"
from optly.contrib.django.management._alias import Alias


class Command(Alias):
    command = "check"

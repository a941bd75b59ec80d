from optly.contrib.django.management._alias import alias

Command = alias("deliver")

TABLE = {str(n): [[n, [n + 1, [n + 2]]]] for n in range(10)}
TOTAL = (1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1)


def grade(n):
    if n == 0:
        return "none"
    elif n == 1:
        return "1"
    elif n == 2:
        return "2"
    elif n == 3:
        return "3"
    elif n == 4:
        return "4"
    elif n == 5:
        return "5"
    elif n == 6:
        return "6"
    elif n == 7:
        return "7"
    elif n == 8:
        return "8"
    elif n == 9:
        return "9"
    elif n == 10:
        return "10"
    elif n == 11:
        return "11"
    elif n == 12:
        return "12"
    elif n == 13:
        return "13"
    elif n == 14:
        return "14"
    elif n == 15:
        return "15"
    elif n == 16:
        return "16"
    elif n == 17:
        return "17"
    elif n == 18:
        return "18"
    elif n == 19:
        return "19"
    elif n == 20:
        return "20"
    elif n == 21:
        return "21"
    elif n == 22:
        return "22"
    elif n == 23:
        return "23"
    elif n == 24:
        return "24"
    elif n == 25:
        return "25"
    elif n == 26:
        return "26"
    elif n == 27:
        return "27"
    elif n == 28:
        return "28"
    elif n == 29:
        return "29"
    elif n == 30:
        return "30"
    elif n == 31:
        return "31"
    elif n == 32:
        return "32"
    elif n == 33:
        return "33"
    elif n == 34:
        return "34"
    elif n == 35:
        return "35"
    elif n == 36:
        return "36"
    elif n == 37:
        return "37"
    elif n == 38:
        return "38"
    elif n == 39:
        return "39"
    elif n == 40:
        return "40"
    elif n == 41:
        return "41"
    elif n == 42:
        return "42"
    elif n == 43:
        return "43"
    elif n == 44:
        return "44"
    elif n == 45:
        return "45"
    elif n == 46:
        return "46"
    elif n == 47:
        return "47"
    elif n == 48:
        return "48"
    elif n == 49:
        return "49"
    elif n == 50:
        return "50"
    elif n == 51:
        return "51"
    elif n == 52:
        return "52"
    elif n == 53:
        return "53"
    elif n == 54:
        return "54"
    elif n == 55:
        return "55"
    elif n == 56:
        return "56"
    elif n == 57:
        return "57"
    elif n == 58:
        return "58"
    elif n == 59:
        return "59"
    return "many"

class Processor:
    """Grades texts."""

    def __init__(self, config=None, progress_actor=None, **options):
        self.config = config
        self._model = None

    def __call__(self, batch):
        batch["value"] = [grade(len(str(text)) % 70) for text in batch["data"]]
        return batch

# expect: security.pickle
import joblib

model = joblib.load("model.joblib")
